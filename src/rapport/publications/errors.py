"""Why a code cannot be given to a customer, in the reference's keys."""

from rapport.core.errors import RapportError


class MissingVouchers(RapportError):
    """Either Campaign or Voucher is required."""

    key = "missing_vouchers"
    message = "Missing vouchers"


class NoVoucherSuitable(RapportError):
    """The campaign has no code left that is active and not published."""

    key = "no_voucher_suitable_for_publication"
    message = "Couldn't find any voucher suitable for publication"


class VoucherAlreadyPublished(RapportError):
    """The voucher has a holder."""

    key = "voucher_already_published"
    message = "Voucher already published"


class VoucherCannotBePublished(RapportError):
    """The voucher or its campaign is disabled or over."""

    key = "voucher_cannot_be_published"
    message = "Voucher cannot be published"


class DuplicateSourceId(RapportError):
    """Another publication has this source id."""

    key = "duplicate_source_id"
    message = "Duplicate source_id"


class PageOverLimit(RapportError):
    """Lists of publications have so many pages and no more."""

    key = "page_over_limit"
    message = "Listing resource above 1000 page is not supported"


class TooManyVouchersRequested(RapportError):
    """So many codes are not published at once."""

    key = "too_many_vouchers_requested"
    message = "Too many vouchers requested"
