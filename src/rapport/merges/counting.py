"""What a customer's profile counts, counted anew from the rows."""

import msgspec

from rapport.consents.interactions import holding as interactions
from rapport.consents.interactions.actions import counted
from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.held.queries import gather
from rapport.customers.in_store import visited, with_purchases
from rapport.customers.models import Customer
from rapport.devices import holding as devices
from rapport.devices.actions import MAX_DEVICES
from rapport.devices.schemas import simple_view
from rapport.events import queries as events
from rapport.orders import queries as orders
from rapport.orders.actions import with_last
from rapport.redemptions import queries as redemptions


async def recounted(conn: Connection, project_id: int, customer: Customer) -> Customer:
    """Return a (locked) customer with the summary, the events and the redemptions that their rows add up to."""
    count, amount = await orders.counted_of_customer(conn, project_id, customer.id)
    totals = await redemptions.totals_of_customer(conn, project_id, customer.id)
    tracked = {
        name: {"count": number, "first_at": iso(first), "last_at": iso(last)}
        for name, number, first, last in await events.counted_of_customer(conn, project_id, customer.id)
    }
    changed = msgspec.structs.replace(
        customer,
        orders_count=count,
        orders_amount=amount,
        events=tracked,
        redemptions={**customer.redemptions, **totals},
    )
    changed = with_last(changed, await orders.last_counted(conn, project_id, customer.id))
    return await _with_signals(conn, project_id, changed)


async def _with_signals(conn: Connection, project_id: int, customer: Customer) -> Customer:
    """Return the customer with the devices, the marketing interaction and the visits that their rows add up to."""
    shown = [simple_view(one) async for one in gather(conn, devices.HELD, project_id, customer.id)]
    shown.sort(key=lambda one: (one["last_seen_at"], one["id"]))
    changed = msgspec.structs.replace(customer, devices=shown[-MAX_DEVICES:], marketing={}, in_store={})
    async for row in gather(conn, interactions.HELD, project_id, customer.id):
        changed = counted(changed, row)
    async for location, at in events.visits_of_customer(conn, project_id, customer.id):
        changed = visited(changed, location, iso(at))
    purchases = await orders.purchases_in_store(conn, project_id, customer.id)
    return with_purchases(changed, purchases) if purchases else changed
