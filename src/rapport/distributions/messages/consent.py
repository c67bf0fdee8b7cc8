"""Whether a customer may be written to: the one place where every message asks, inside its own transaction."""

from rapport.consents.state import may_be_written_to
from rapport.customers.models import Customer


def may_write_to(customer: Customer, channel: str, consent_id: str | None) -> bool:
    """Whether the (locked) customer has not said no to messages on this channel, and yes to what they are about.

    `consent_id`: the consent that the message needs, if any. Who withdraws waits for the same lock, and then for what
    is being handed over: nothing is handed over after a withdrawal was answered.
    """
    return may_be_written_to(customer.consents, channel, consent_id)
