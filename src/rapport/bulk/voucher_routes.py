"""HTTP operations on many vouchers at once."""

from typing import Annotated, Any, Final

from litestar import Request, Response, Router, post
from msgspec import Meta

from rapport.async_actions.schemas import Accepted
from rapport.bulk.actions import accept, check_metadata, look_at_campaign_voucher, look_at_tag, look_at_voucher
from rapport.bulk.kinds import CAMPAIGN_IMPORT, VOUCHERS_IMPORT, VOUCHERS_METADATA, VOUCHERS_UPDATE
from rapport.bulk.reading import Things, read_names, read_raw, read_things
from rapport.bulk.schemas import (
    MAX_BODY_BYTES,
    MAX_VOUCHERS_IMPORTED,
    MAX_VOUCHERS_TAGGED,
    VouchersMetadataUpdate,
    VouchersMetadataUpdateRead,
    VoucherTag,
)
from rapport.campaigns import queries as campaigns
from rapport.core.errors import InvalidPayload, NotFound
from rapport.http.bodies import answer, parse
from rapport.http.caller import Caller
from rapport.http.openapi import operation
from rapport.vouchers.schemas import VoucherInput

ManyVouchers = Annotated[list[VoucherInput], Meta(min_length=1, max_length=MAX_VOUCHERS_IMPORTED)]
ManyTags = Annotated[list[VoucherTag], Meta(min_length=1, max_length=MAX_VOUCHERS_TAGGED)]
_IMPORTED: Final = Things("vouchers", MAX_VOUCHERS_IMPORTED, VoucherInput, look_at_voucher, named=True, name_of="code")
_INTO_CAMPAIGN: Final = Things(
    "vouchers", MAX_VOUCHERS_IMPORTED, VoucherInput, look_at_campaign_voucher, named=True, name_of="code"
)
_TAGGED: Final = Things("vouchers", MAX_VOUCHERS_TAGGED, VoucherTag, look_at_tag, named=True, name_of="code")


@post(
    "/v1/vouchers/import",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("import-vouchers", body=ManyVouchers, answer=Accepted),
)
async def import_vouchers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in up to 10,000 vouchers without a campaign, with codes that they have already, each by itself, soon."""
    return answer(await accept(caller, VOUCHERS_IMPORT, await read_things(request, _IMPORTED), {}), 202)


@post(
    "/v1/campaigns/{campaign_id:str}/import",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("import-vouchers-to-campaign", body=ManyVouchers, answer=Accepted),
)
async def import_to_campaign(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Bring up to 10,000 vouchers into a campaign, with codes that they have already, each by itself, soon."""
    async with caller.db.read() as conn:
        campaign = await campaigns.find(conn, caller.project_id, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    if campaign.voucher_type is None:
        raise InvalidPayload("A campaign of in-cart promotions has no vouchers")
    asked = await read_things(request, _INTO_CAMPAIGN)
    return answer(await accept(caller, CAMPAIGN_IMPORT, asked, {"campaign_id": campaign.id}), 202)


@post(
    "/v1/vouchers/bulk/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-vouchers-in-bulk", body=ManyTags, answer=Accepted),
)
async def update_vouchers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Set metadata of up to 100 vouchers, each of its own, soon."""
    return answer(await accept(caller, VOUCHERS_UPDATE, await read_things(request, _TAGGED), {}), 202)


@post(
    "/v1/vouchers/metadata/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-vouchers-metadata-in-bulk", body=VouchersMetadataUpdate, answer=Accepted),
)
async def update_metadata(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Set the same metadata on up to 100 vouchers, soon."""
    data = parse(await read_raw(request), VouchersMetadataUpdateRead)
    check_metadata(data.metadata)
    asked = read_names(data.codes, _TAGGED)
    return answer(await accept(caller, VOUCHERS_METADATA, asked, {"metadata": data.metadata}), 202)


router = Router("/", route_handlers=[import_vouchers, import_to_campaign, update_vouchers, update_metadata])
