"""One attempt at one message: written in the transaction that publishes its code, then handed over, then recorded.

Everything an attempt says is made anew from what is true at its time, so a retry neither repeats an old address nor an
old template; the code stays the same, published once under the message's id.
"""

from typing import Any, cast

import msgspec

from rapport.activity.log import internal
from rapport.campaigns import queries as campaigns
from rapport.consents.interactions.actions import keep
from rapport.consents.interactions.schemas import InteractionRow
from rapport.consents.links import unsubscribe_url
from rapport.core.clock import iso
from rapport.core.errors import RapportError
from rapport.customers.models import Channel, Customer
from rapport.customers.schemas import simple_view as customer_view
from rapport.customers.schemas import view as full_customer
from rapport.customers.writes import Unit, Writer
from rapport.distributions import queries as distributions
from rapport.distributions.messages import mail, queries, templates
from rapport.distributions.messages.consent import may_write_to
from rapport.distributions.messages.models import (
    MAX_ATTEMPTS,
    PREPARING_LEASE,
    SENDING_LEASE,
    Claimed,
    Prepared,
    pause_after,
)
from rapport.distributions.messages.providers import OUTBOX, Outcome, file_name
from rapport.distributions.models import Distribution
from rapport.distributions.schemas import simple_view as distribution_view
from rapport.projects import queries as projects
from rapport.publications import actions as publications
from rapport.publications.errors import NoVoucherSuitable
from rapport.publications.models import Publication
from rapport.vouchers.schemas import view as voucher_view

IN_PROGRESS = "IN_PROGRESS"


class NotWanted(Exception):
    """The distribution was switched off or deleted since the message was queued."""


class Refusal(Exception):
    """The message cannot be sent as things are; `key` and `message` say why.

    `temporary`: it may be possible a little later, without anybody's doing. `unpublished`: why there is no code.
    """

    def __init__(
        self, key: str, message: str, *, temporary: bool = False, unpublished: RapportError | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.temporary = temporary
        self.unpublished = unpublished


class Ready(msgspec.Struct, frozen=True):
    """A message that is kept as SENDING and may be handed over now."""

    mail: mail.Mail
    file_name: str
    distribution: Distribution


class Sending:
    """The steps of an attempt, each a transaction of its own that names the attempt."""

    def __init__(self, writer: Writer, provider: str, default_sender: str, base_url: str | None = None) -> None:
        """Write through `writer`; `default_sender` is used where a distribution names none.

        `base_url`: where links lead, without a slash at the end.
        """
        self._base_url = base_url
        self._writer = writer
        self._provider = provider
        self._lease = PREPARING_LEASE if provider == OUTBOX else SENDING_LEASE
        self._default_sender = default_sender

    async def prepare(self, project_id: int, message: Claimed) -> Ready | None:
        """Publish the code, write the mail, keep it as SENDING; None when the message is in other hands.

        Raises NotWanted and Refusal, and then nothing was done.
        """

        async def work(unit: Unit) -> Ready | None:
            customer = await unit.find_locked(message.customer_id)
            distribution = await distributions.find(unit.conn, project_id, message.distribution_id)
            if distribution is None or not distribution.active:
                raise NotWanted
            if customer is None:
                raise Refusal("customer_not_found", f"Cannot find customer with id {message.customer_id}")
            if not may_write_to(customer, message.channel, None):
                raise Refusal("customer_unsubscribed", f"The customer takes no messages by {message.channel}")
            if not may_write_to(customer, message.channel, distribution.consent_id):
                raise Refusal("consent_missing", f"The customer has not given the consent {distribution.consent_id}")
            if message.failures >= MAX_ATTEMPTS:
                raise Refusal(message.error_key or "worker_ended", message.error_message or "it never came to an end")
            recipient = _recipient(customer)
            publication = await _publish(unit, message, distribution, customer)
            customer = unit.get(customer.id)
            link = await self._unsubscribe_url(unit, customer, message.channel)
            variables = await _variables(unit, message, distribution, customer, publication, self._base_url or "")
            variables["unsubscribe_url"] = link
            written, prepared = self._write(message, distribution, customer, recipient, variables, unit)
            if publication is not None:
                prepared = msgspec.structs.replace(
                    prepared, publication_id=publication.id, voucher_code=publication.voucher.code
                )
            until = unit.now + self._lease
            if not await queries.start_sending(unit.conn, project_id, message.id, message.attempts, until, prepared):
                return None
            return Ready(written, file_name(message.id, message.created_at), distribution)

        return await self._writer.commit(internal(project_id), work)

    async def _unsubscribe_url(self, unit: Unit, customer: Customer, channel: str) -> str | None:
        """Return the customer's own link; None where nobody knows how this server is reached."""
        if self._base_url is None:
            return None
        project, secret = await projects.get_link_secret(unit.conn, unit.project_id)
        return unsubscribe_url(self._base_url, secret, project, customer.id, channel, unit.now)

    def _write(
        self,
        message: Claimed,
        distribution: Distribution,
        customer: Customer,
        recipient: str,
        variables: dict[str, Any],
        unit: Unit,
    ) -> tuple[mail.Mail, Prepared]:
        sender = mail.sender(distribution.sender or self._default_sender)
        try:
            subject = mail.line(templates.render(distribution.subject, "plain", variables), mail.MAX_SUBJECT)
            text = _body(distribution.text_template, "plain", variables)
            html = _body(distribution.html_template, "html", variables)
        except templates.TemplateFailed as error:
            raise Refusal("template_error", str(error)) from error
        header = mail.message_id(message.id, sender.address)
        written = mail.build(
            sender=sender,
            recipient=recipient,
            recipient_name=customer.name,
            reply_to=distribution.reply_to,
            subject=subject,
            text=text,
            html=html,
            message_id=header,
            date=unit.now,
            unsubscribe=variables["unsubscribe_url"],
        )
        prepared = Prepared(
            self._provider, distribution.campaign_id, None, None, sender.address, recipient, subject, text, html, header
        )
        return written, prepared

    async def record(self, project_id: int, message: Claimed, ready: Ready, outcome: Outcome) -> bool:
        """Write what came of handing the message over; return whether the customer was erased meanwhile."""
        error = (outcome.key, outcome.message)
        if outcome.kind == "later":
            await self.put_off(project_id, message, error)
        elif outcome.kind == "refused":
            await self.fail(project_id, message, Refusal(*error))
        elif outcome.kind == "doubtful":
            await self._finish(project_id, message, "UNCERTAIN", error)
        else:
            return await self._sent(project_id, message, ready)
        return False

    async def put_off(self, project_id: int, message: Claimed, error: tuple[str, str]) -> None:
        """Try again later, or give up after the last attempt; nothing has been handed over."""
        pause = pause_after(message.failures + 1)
        if pause is None:
            await self.fail(project_id, message, Refusal(*error))
            return

        async def work(unit: Unit) -> None:
            await unit.open()
            until = unit.now + pause
            await queries.put_off(unit.conn, project_id, message.id, message.attempts, until, error)

        await self._writer.commit(internal(project_id), work)

    async def cancel(self, project_id: int, message: Claimed) -> None:
        """End a message that is not wanted any more."""
        reason = ("distribution_inactive", "the distribution was switched off or deleted before the message was sent")
        await self._finish(project_id, message, "CANCELED", reason)

    async def _finish(self, project_id: int, message: Claimed, state: str, error: tuple[str, str]) -> None:
        async def work(unit: Unit) -> None:
            await queries.finish(unit.conn, project_id, message.id, message.attempts, state, error=error)

        await self._writer.commit(internal(project_id), work)

    async def _sent(self, project_id: int, message: Claimed, ready: Ready) -> bool:
        """Write that it was handed over, and log it with the customer if they are still there."""

        async def work(unit: Unit) -> bool:
            customer = await unit.find_locked(message.customer_id)
            ended = await queries.finish(unit.conn, project_id, message.id, message.attempts, "SENT", sent_at=unit.now)
            if ended.is_written and customer is not None:
                await keep(unit, _interaction(customer, message, unit))
                payload = _payload(customer, ready.distribution, message) | {"sent_at": iso(unit.now)}
                unit.log("customer.email.sent", customer, payload, ready.distribution.campaign_id)
            return ended.is_erased

        return await self._writer.commit(internal(project_id), work)

    async def fail(self, project_id: int, message: Claimed, refusal: Refusal) -> None:
        """End a message for good, and log it with the customer."""

        async def work(unit: Unit) -> None:
            customer = await unit.find_locked(message.customer_id)
            distribution = await distributions.find(unit.conn, project_id, message.distribution_id)
            error = (refusal.key, refusal.message)
            ended = await queries.finish(unit.conn, project_id, message.id, message.attempts, "FAILED", error=error)
            if not ended.is_written or customer is None:
                return
            if refusal.unpublished is not None:
                await _log_unpublished(unit, refusal.unpublished, message, distribution, customer)
            if distribution is not None:
                payload = _payload(customer, distribution, message) | {"failed_at": iso(unit.now)}
                unit.log("customer.email.failed", customer, payload, distribution.campaign_id)

        await self._writer.commit(internal(project_id), work)


def _body(template: str | None, kind: templates.Kind, variables: dict[str, Any]) -> str | None:
    return None if template is None else mail.body(templates.render(template, kind, variables))


def _payload(customer: Customer, distribution: Distribution, message: Claimed) -> dict[str, Any]:
    return {
        "customer": customer_view(customer),
        "distribution": distribution_view(distribution),
        "message": {"id": message.id, "object": "message"},
    }


def _interaction(customer: Customer, message: Claimed, unit: Unit) -> InteractionRow:
    """Return that the message was sent, as it counts in the customer."""
    channel = cast("Channel", message.channel)
    return InteractionRow(
        id=f"sent:{message.id}:{message.attempts}",
        customer_id=customer.id,
        channel=channel,
        type="sent",
        at=unit.now,
        recorded_at=unit.now,
        bounce=None,
        message_id=message.id,
        metadata={"distribution_id": message.distribution_id},
    )


def _recipient(customer: Customer) -> str:
    if not customer.email or not customer.email.strip():
        raise Refusal("missing_email", f"Customer {customer.id} has no email address")
    try:
        return mail.address(customer.email)
    except mail.InvalidAddress as error:
        raise Refusal("invalid_email", f"{customer.email!r} is not an address that mail can be sent to") from error


async def _publish(unit: Unit, message: Claimed, distribution: Distribution, customer: Customer) -> Publication | None:
    """Give the (locked) customer a code under the message's id: asked again, it is the same code."""
    if distribution.campaign_id is None:
        return None
    try:
        publication = await publications.publish(
            unit,
            distribution.campaign_id,
            customer.id,
            source_id=message.id,
            channel=distribution.channel,
            reuse=True,
        )
    except RapportError as error:
        campaign = await campaigns.find(unit.conn, unit.project_id, distribution.campaign_id)
        waiting = (
            isinstance(error, NoVoucherSuitable) and campaign is not None and campaign.creation_status == IN_PROGRESS
        )
        raise Refusal(error.key, error.details, temporary=waiting, unpublished=error) from error
    if not publication.vouchers:
        raise Refusal("voucher_not_found", f"The voucher of publication {publication.id} was deleted")
    return publication


async def _log_unpublished(
    unit: Unit, error: RapportError, message: Claimed, distribution: Distribution | None, customer: Customer
) -> None:
    """Keep that the (locked) customer got no code, as publishing through the API does."""
    campaign_id = None if distribution is None else distribution.campaign_id
    campaign = None if campaign_id is None else await campaigns.find(unit.conn, unit.project_id, campaign_id)
    await publications.fail(unit, error, customer.id, campaign=campaign, source_id=message.id, channel=message.channel)


async def _variables(
    unit: Unit,
    message: Claimed,
    distribution: Distribution,
    customer: Customer,
    publication: Publication | None,
    base_url: str,
) -> dict[str, Any]:
    """Return what templates may use; docs/distributions.md lists it."""
    trigger = await queries.find_entry(unit.conn, unit.project_id, message.trigger_id) or {}
    known = {
        "customer": full_customer(customer),
        "distribution": {"id": distribution.id, "name": distribution.name, "metadata": distribution.metadata},
        "segment": trigger.get("segment"),
        "event": trigger.get("event"),
        "voucher": None,
        "campaign": None,
        "now": iso(unit.now),
        "time_zone": unit.moment.zone.key,
    }
    if publication is not None:
        known["voucher"] = voucher_view(publication.voucher, None, base_url)
        known["campaign"] = {"id": distribution.campaign_id, "name": publication.row.campaign}
    return templates.values(known)  # type: ignore[no-any-return]
