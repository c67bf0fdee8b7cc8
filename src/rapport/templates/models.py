"""A campaign template as a value."""

from datetime import datetime
from typing import Any

import msgspec


class Template(msgspec.Struct, frozen=True):
    """One row of campaign_templates.

    `configuration` is the body of `create-campaign` without name, category and number of codes, and with the `banner`
    of a tier; `rules` are the validation rules that held for the original, as they were then.
    """

    id: str
    name: str
    description: str | None
    campaign_type: str
    configuration: dict[str, Any]
    rules: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime | None
