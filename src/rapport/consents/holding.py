"""What consents hold on a person: everything they ever said about them."""

from rapport.consents.models import Change
from rapport.consents.schemas import change_view
from rapport.customers.held.queries import Held, holding_of

holding = holding_of(
    "consent_changes", Held("consent_changes", Change, at="recorded_at", tie="seq", least=0), change_view
)
