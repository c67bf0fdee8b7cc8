"""What a customer's profile counts, counted anew from the rows."""

import msgspec

from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.models import Customer
from rapport.events import queries as events
from rapport.orders import queries as orders
from rapport.orders.actions import with_last
from rapport.redemptions import queries as redemptions


async def recounted(conn: Connection, project_id: int, customer: Customer) -> Customer:
    """Return a (locked) customer with the summary, the events and the redemptions that their rows add up to."""
    count, amount = await orders.counted_of_customer(conn, project_id, customer.id)
    totals = await redemptions.totals_of_customer(conn, project_id, customer.id)
    counted = {
        name: {"count": number, "first_at": iso(first), "last_at": iso(last)}
        for name, number, first, last in await events.counted_of_customer(conn, project_id, customer.id)
    }
    changed = msgspec.structs.replace(
        customer,
        orders_count=count,
        orders_amount=amount,
        events=counted,
        redemptions={**customer.redemptions, **totals},
    )
    return with_last(changed, await orders.last_counted(conn, project_id, customer.id))
