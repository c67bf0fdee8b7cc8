"""How answers are declared: the words that the structs of every feature's answers are made of.

What a feature answers is made by its `view` functions, for speed as plain dicts; its structs say, for the OpenAPI
document, what these hold. The tests hold every answer they are given against the document.
"""

from typing import Annotated

from msgspec import Meta

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Day = Annotated[str, Meta(extra_json_schema={"format": "date"})]
Count = Annotated[int, Meta(ge=0)]
