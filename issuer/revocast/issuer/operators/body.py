"""What bodies may hold: strict models, and text that is inert wherever it is shown."""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from revocast.schemas.naming import MAX_NAME

__all__ = ["Body", "Name", "Text"]

_ACTIVE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _inert(text: str) -> str:
    if any(unicodedata.category(char) in _ACTIVE or char in _BIDI for char in text):
        raise ValueError("must not hold control characters, line breaks or text direction marks")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00]*$")]
"""What another system calls something: exact code points, whatever they are, but NUL, which PostgreSQL cannot store."""

Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(_inert)]
"""Text for people. It is shown in terminals, logs and spreadsheets, so nothing in it may act there."""


class Body(BaseModel):
    """A request body: unknown members and wrong types are refused, not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
