"""Writes of messages that a person asks for."""

from rapport.core.db import Connection
from rapport.core.errors import NotFound, RapportError
from rapport.core.queries import read_now
from rapport.distributions import queries as distributions
from rapport.distributions.messages import queries
from rapport.distributions.messages.models import RESENDABLE, Message
from rapport.http.caller import Caller


class MessageNotResendable(RapportError):
    """The message is on its way, was sent, or belongs to a distribution that sends nothing."""

    code = 409
    key = "message_not_resendable"
    message = "Message cannot be sent again"


async def resend(caller: Caller, distribution_id: str, message_id: str) -> Message:
    """Queue a failed or doubtful message once more, with the same code; what it says is made anew.

    A doubtful one may reach the customer a second time: that is for the person who asks to decide.
    Raises NotFound, and MessageNotResendable in any other state or while the distribution is inactive.
    """

    async def work(conn: Connection) -> Message:
        message = await queries.find_message(conn, caller.project_id, distribution_id, message_id, lock=True)
        if message is None:
            raise NotFound("message", message_id)
        if message.customer_id is None:
            raise MessageNotResendable(
                "The customer was permanently deleted", resource_id=message_id, resource_type="message"
            )
        if message.state not in RESENDABLE:
            raise MessageNotResendable(
                f"The message is {message.state}; only messages that are {' or '.join(RESENDABLE)} can be sent again",
                resource_id=message_id,
                resource_type="message",
            )
        distribution = await distributions.find(conn, caller.project_id, distribution_id)
        if distribution is None or not distribution.active:
            raise MessageNotResendable(
                "The distribution is not active", resource_id=message_id, resource_type="message"
            )
        at = await read_now(conn, caller.db.clock_offset)
        return await queries.queue_again(conn, caller.project_id, message_id, at)

    return await caller.db.transaction(work)
