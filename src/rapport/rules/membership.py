"""In which segments a customer is by its state at this moment, before anything of it is written."""

from rapport.customers.models import Customer
from rapport.customers.writes import Moment
from rapport.segments.membership import Known, decide


def segments_of(moment: Moment, customer: Customer) -> frozenset[str]:
    """Return the ids of the customer's segments: the stored membership, corrected by what its state now means."""
    known: Known = moment.known
    stored = known.members.get(customer.id, frozenset())
    times = known.times.get(customer.id, {})
    decision = decide(known.definitions, customer, stored, times, moment.now, moment.zone)
    entered = {segment_id for segment_id, _, _ in decision.entered}
    left = {segment_id for segment_id, _, _ in decision.left}
    return (stored | entered) - left
