"""Writes of customers: one function a use case."""

from rapport.activity.log import Signature
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit, Writer


async def upsert(writer: Writer, signature: Signature, data: CustomerInput) -> Customer:
    """Create a customer, or update the one with this id or source id (`create-customer`).

    Raises NotFound for an unknown id, DuplicateFound for a source id that another customer has, InvalidPayload.
    """

    async def work(unit: Unit) -> Customer:
        return (await unit.upsert(data))[0]

    return await writer.commit(signature, work)


async def update(writer: Writer, signature: Signature, reference: str, data: CustomerInput) -> Customer:
    """Update the customer with this id or source id (`update-customer`). Raises NotFound and InvalidPayload."""

    async def work(unit: Unit) -> Customer:
        customer = await unit.get_locked(reference)
        unit.change(customer.id, data)
        return unit.get(customer.id)

    return await writer.commit(signature, work)


async def delete(writer: Writer, signature: Signature, reference: str) -> None:
    """Delete a customer (`delete-customer`); orders and redemptions stay. Raises NotFound."""

    async def work(unit: Unit) -> None:
        await unit.delete(await unit.get_locked(reference))

    await writer.commit(signature, work)
