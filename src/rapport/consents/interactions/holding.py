"""What interactions hold on a person."""

import msgspec

from rapport.consents.interactions.schemas import InteractionRow, view
from rapport.customers.held.queries import Held, holding_of

holding = holding_of(
    "interactions", Held("interactions", InteractionRow, at="at"), lambda row: msgspec.structs.asdict(view(row))
)
