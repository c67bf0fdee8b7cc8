"""Vouchers in files: their columns, how rows become vouchers, and how that is undone."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from rapport.campaigns.schemas import RedemptionInput
from rapport.core.errors import DuplicateFound, InvalidPayload, RapportError
from rapport.customers.schemas import LongText, Metadata
from rapport.customers.writes import Unit
from rapport.discounts.schemas import Discount, Effect, Gift
from rapport.imports.histories.tables import PASSED_OVER, JsonLines, Plan, Said, Table, failed, reader
from rapport.imports.models import Done, Options, RowFailed
from rapport.vouchers.importing import Brought, bring, take_back
from rapport.vouchers.schemas import Code, VoucherInput

_TYPES: Final[Mapping[str, str]] = {
    name: kind
    for kind in ("DISCOUNT_VOUCHER", "GIFT_VOUCHER")
    for name in (kind, kind.partition("_")[0], kind.replace("_", " "))
}
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NUMBER: Final = re.compile(r"\d{1,16}(?:\.\d{1,6})?", re.ASCII)
_VALUE_OF: Final[Mapping[str, str]] = {
    "AMOUNT": "amount_off",
    "PERCENT": "percent_off",
    "FIXED": "fixed_amount",
    "UNIT": "unit_off",
}


class VoucherRow(msgspec.Struct, kw_only=True):
    """What the columns of one voucher say."""

    code: Code
    type: str | None = None
    value: Annotated[str, Meta(max_length=32)] | None = None
    discount_type: Literal["AMOUNT", "PERCENT", "FIXED", "UNIT"] | None = None
    discount_effect: Effect | None = None
    discount_unit_type: str | None = None
    discount_amount_limit: int | None = None
    gift_amount: int | None = None
    redeemed_amount: int = 0
    redeemed_quantity: int = 0
    redemption_quantity: int | None = None
    category: Annotated[str, Meta(max_length=255)] | None = None
    active: str | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None


# The names that the reference's template has, and those of an export of vouchers.
PLAN: Final = Plan(
    model=VoucherRow,
    targets={
        **PASSED_OVER,
        **dict.fromkeys(
            (
                "id", "campaign", "campaign_id", "created_at", "holder_id", "customer_id", "customer_source_id",
                "loyalty_balance", "gift_balance", "qr_code", "bar_code", "is_referral_code", "validation_rules_id",
                "formula", "discount_unit_effect",
            ),
            "",
        ),
        **{
            name: name
            for name in VoucherRow.__struct_fields__
            if name not in {"metadata", "redemption_quantity"}
        },
        "voucher_type": "type",
        "redemption_limit": "redemption_quantity",
        "redemption_quantity": "redemption_quantity",
        "redemption_count": "redeemed_quantity",
    },
    numbers=frozenset(
        {"gift_amount", "redeemed_amount", "redeemed_quantity", "redemption_quantity", "discount_amount_limit"}
    ),
    names=("code",),
    required=(("code",),),
    schema=lambda schemas, _said: schemas.of("voucher"),
)  # fmt: skip


class Vouchers:
    """Vouchers, as the engine of imports knows them: codes that are new in the project."""

    ndjson = False

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
        """Make sense of a header. Raises UnusableFile."""
        return await reader(PLAN, unit, header, options, lines=lines)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Insert the vouchers that rows tell of; a code that is taken, or was in a row before, fails."""
        read: list[Brought | RowFailed] = []
        for one in said:
            try:
                read.append(_brought(one.data, with_campaign=options.campaign_id is not None))
            except RapportError as error:
                read.append(failed(error, one.headers))
        made = iter(await bring(unit, [one for one in read if isinstance(one, Brought)], options.campaign_id))
        return [
            one if isinstance(one, RowFailed) else _outcome(next(made), about)
            for one, about in zip(read, said, strict=True)
        ]

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, dict[str, list[Any]] | None]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Delete the vouchers that the import brought, but for those that somebody has or has used."""
        _ = request_ids
        gone = await take_back(unit, [voucher_id for voucher_id, _ in done])
        kept = "The voucher was published or redeemed"
        return [
            ("GONE", None) if one not in gone else ("DELETED", None) if gone[one] else ("KEPT", kept) for one, _ in done
        ]


def _outcome(made: str | RapportError, said: Said) -> Done | RowFailed:
    if isinstance(made, str):
        return Done("created", made, None)
    if isinstance(made, DuplicateFound):
        return RowFailed(made.details, said.headers.get("code"))
    return failed(made, said.headers)


def _brought(row: VoucherRow, *, with_campaign: bool) -> Brought:
    """Return what a row says. Raises InvalidPayload."""
    data = VoucherInput(
        code=row.code,
        category=row.category,
        active=_flag(row.active),
        start_date=row.start_date,
        expiration_date=row.expiration_date,
        additional_info=row.additional_info,
        metadata=row.metadata,
    )
    if row.redemption_quantity is not None:
        data.redemption = RedemptionInput(quantity=row.redemption_quantity)
    if row.type is not None:
        kind = _TYPES.get(row.type.upper())
        if kind is None:
            raise InvalidPayload("Property .type should be DISCOUNT_VOUCHER or GIFT_VOUCHER")
        data.type = kind  # type: ignore[assignment]
    amount = row.gift_amount
    if amount is None and data.type == "GIFT_VOUCHER" and row.value is not None:
        amount = _whole(row.value)
    if amount is not None:
        data.gift = Gift(amount=amount)
    elif row.discount_type is not None or (row.value is not None and not with_campaign):
        data.discount = _discount(row)
    return Brought(data=data, redeemed_quantity=row.redeemed_quantity, redeemed_amount=row.redeemed_amount)


def _discount(row: VoucherRow) -> Discount:
    kind = row.discount_type or "AMOUNT"
    if not _NUMBER.fullmatch(row.value or ""):
        raise InvalidPayload("Property .value should be a number")
    value = Decimal(row.value or "")
    discount = Discount(
        type=kind,
        effect=row.discount_effect,
        unit_type=row.discount_unit_type,
        amount_limit=row.discount_amount_limit,
    )
    setattr(discount, _VALUE_OF[kind], int(value) if value == int(value) else float(value))
    return discount


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidPayload("Property .value should be a whole number of minor units, as 1999 for 19.99")
    return int(text)


def _flag(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in _TRUTH:
        raise InvalidPayload("Property .active should be true or false")
    return _TRUTH[text.lower()]
