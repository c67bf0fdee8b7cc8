"""What interactions hold on a person."""

import msgspec

from rapport.consents.interactions.schemas import InteractionRow, view
from rapport.customers.held.queries import Held, holding_of

HELD = Held("interactions", InteractionRow, at="at")
holding = holding_of("interactions", HELD, lambda row: msgspec.structs.asdict(view(row)))
