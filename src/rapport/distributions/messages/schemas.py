"""Messages on the wire."""

from typing import Any

from rapport.core.clock import iso
from rapport.distributions.messages.models import Message


def view(message: Message) -> dict[str, Any]:
    """Return the message object of the API, without its bodies."""
    return {
        "id": message.id,
        "distribution_id": message.distribution_id,
        "customer_id": message.customer_id,
        "trigger": {"id": message.trigger_id, "type": message.trigger_type},
        "channel": message.channel,
        "state": message.state,
        "provider": message.provider,
        "campaign_id": message.campaign_id,
        "publication_id": message.publication_id,
        "voucher": None if message.voucher_code is None else {"code": message.voucher_code},
        "from": message.sender,
        "to": message.recipient,
        "subject": message.subject,
        "message_id": message.message_id,
        "attempts": message.attempts,
        "next_attempt_at": None if message.next_attempt_at is None else iso(message.next_attempt_at),
        "error": None if message.error_key is None else {"key": message.error_key, "message": message.error_message},
        "created_at": iso(message.created_at),
        "sent_at": None if message.sent_at is None else iso(message.sent_at),
        "object": "message",
    }
