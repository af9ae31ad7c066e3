"""From lines to what they revoke. Three forms:

* **JSON lines**: each an object with `selector`, `slot`, `cutoff`, `expires_at` as one revocation has them, or with `token`; or
  just a string, the value of a selector.
* **CSV** (RFC 4180, a row a line): columns `kind`, `value`, `value2`, `issuer`, `slot`, `cutoff`, `expires_at`, named by the first row.
* **A list**: each line is the value of a selector.

`kind` and `slot` of the request stand for those that a line does not say; without them a value is a token's `jti`, and
a token is blocked. Nothing is trimmed or folded: names are compared by exact code points.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, Literal

from pydantic import ValidationError

from revocast.issuer.authority.bulk import Line, Manner
from revocast.issuer.authority.expiry import ONE_TOKEN
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.terms import Terms
from revocast.issuer.errors import InvalidRequest, TokenRejected
from revocast.issuer.operators.bulk.errors import BadLine, Unreadable
from revocast.issuer.operators.problem import explain_invalid
from revocast.issuer.operators.revocations import SlotName, Target
from revocast.schemas.errors import ClaimUndeclared, SchemaError
from revocast.schemas.naming import MAX_NAME
from revocast.schemas.selector import fingerprint_of, fingerprints_of
from revocast.schemas.strict_json import parse_json

__all__ = ["COLUMNS", "Form", "LineReader"]

Form = Literal["jsonl", "csv", "list"]
COLUMNS: Final = ("kind", "value", "value2", "issuer", "slot", "cutoff", "expires_at")

_SINGLE_HANDED: Final = frozenset({"key", "issuer"})
_PAIR: Final = "subject+client"
_JWS: Final = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_MANNERS: Final = 10_000
_PLAIN: Final = bytes(sorted({*range(0x21, 0x7F), *b"\n"} - {*b"."}))
"""What a list's values are made of that need no second look: no white space, no whole token, one character a byte."""

_Shape = tuple[str | None, str | None, str | None, str | None, str | None]
"""Kind, issuer, slot, cutoff and `expires_at`, as CSV says them."""


class LineReader:
    """One for each file. `revocation_of` reads a whole token; `now` is asked for the time, seconds."""

    def __init__(
        self,
        form: Form,
        terms: Terms,
        revocation_of: Callable[[str], Revocation],
        now: Callable[[], float],
        *,
        kind: str | None = None,
        slot: SlotName | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._terms = terms
        self._revocation_of = revocation_of
        self._now = now
        self._kind = kind
        self._slot = slot
        self._columns = None if columns is None else _checked(columns)
        self._form = form
        self._read = {"jsonl": self._json, "csv": self._csv, "list": self._bare}[form]
        self._wants_header = form == "csv" and columns is None
        self._manners: dict[object, Manner] = {}
        self._shapes: dict[_Shape, Manner] = {}

    def read(self, raw: bytes | None) -> Line | None:
        """What a line revokes; None for an empty one. Raises `BadLine`, and `Unreadable` for a first row that names no columns."""
        if raw is None:
            raise BadLine("is too long")
        if not raw:
            return None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadLine("is not UTF-8") from None
        if "\0" in text:
            raise BadLine("holds a NUL")
        if self._wants_header:
            self._columns, self._wants_header = _checked(_row(text)), False
            return None
        return self._read(text)

    def read_plain(self, raws: Sequence[bytes | None]) -> list[Line] | None:
        """What all of them revoke, if this is a list and nothing about any of them needs a second look; None: read them one by one."""
        if self._form != "list" or not raws or not all(raws):
            return None
        values = [raw for raw in raws if raw]
        text = b"\n".join(values)
        if text.translate(None, _PLAIN) or max(map(len, values)) > MAX_NAME:
            return None
        try:
            first = self.read(values[0])
        except BadLine:
            return None
        if first is None or first.manner.kind == _PAIR:
            return None
        manner, terms = first.manner, self._terms
        names = fingerprints_of(terms.salt, terms.issuer, manner.kind, values)
        # As `Line(…)` for each of them would, without a call of Python's for each.
        fields = zip(names, zip(text.decode("ascii").split("\n"), strict=True), repeat(manner), strict=False)
        return list(map(tuple.__new__, repeat(Line), fields))

    def _bare(self, text: str) -> Line:
        if text[0].isspace() or text[-1].isspace():
            raise BadLine("begins or ends with white space: write it as JSON if the name does")
        if _CONTROL.search(text):  # another program's line ends, or columns
            raise BadLine("holds a control character: write it as JSON if the name does")
        return self._valued(text, (None, None, None, None, None))

    def _json(self, text: str) -> Line:
        try:
            said = parse_json(text.encode(), max_depth=4, max_values=64)
        except SchemaError:
            raise BadLine("is not one JSON value") from None
        if isinstance(said, str):
            return self._valued(said, (None, None, None, None, None))
        if not isinstance(said, dict):
            raise BadLine("must be an object, or the text of a selector's value")
        return self._line(self._revocation(said))

    def _csv(self, text: str) -> Line | None:
        cells = _row(text)
        if len(cells) != len(self._columns or ()):
            raise BadLine(f"has {len(cells)} cells, and there are {len(self._columns or ())} columns")
        row = {name: cell for name, cell in zip(self._columns or (), cells, strict=True) if cell}
        value, value2 = row.pop("value", None), row.pop("value2", None)
        shape = (
            row.get("kind"),
            row.get("issuer"),
            row.get("slot"),
            row.get("cutoff"),
            row.get("expires_at"),
        )
        if value is None:
            raise BadLine("value: is empty")
        if value2 is None:
            return self._valued(value, shape)
        return self._line(self._revocation(_said(shape, [value, value2])))

    def _valued(self, value: str, shape: _Shape) -> Line:
        """A selector of one value; what is the same for many of them is checked once."""
        manner = self._shapes.get(shape)
        if manner is None:
            line = self._line(self._revocation(_said(shape, [value])))
            if len(self._shapes) < _MAX_MANNERS and line.manner.kind != _PAIR:
                self._shapes[shape] = line.manner
            return line
        if not 0 < len(value) <= MAX_NAME:
            raise BadLine(f"value: must have 1 to {MAX_NAME} characters")
        if "\0" in value:  # written as an escape; PostgreSQL stores none
            raise BadLine("holds a NUL")
        if "." in value:
            _check_no_token(manner.kind, value)
        values = (value,)
        try:
            name = fingerprint_of(self._terms.salt, self._terms.issuer, manner.kind, values)
        except UnicodeEncodeError:
            raise BadLine("value: holds a lone surrogate") from None
        return Line(name, values, manner)

    def _revocation(self, said: Mapping[str, Any]) -> Revocation:
        try:
            target = Target.model_validate(self._completed(said))
            return target.revocation(self._terms.issuer, self._revocation_of)
        except ValidationError as error:
            raise BadLine(explain_invalid(error.errors(include_url=False, include_input=False))) from None
        except TokenRejected:
            raise BadLine("token: is not one of ours") from None

    def _completed(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the request's kind and slot where the line says none."""
        selector = said.get("selector")
        if not isinstance(selector, dict):
            return said
        if "kind" not in selector:
            selector = {"kind": self._kind or "token", **selector}
        if "slot" in said:
            return {**said, "selector": selector}
        kind = selector["kind"]
        slot = self._slot or ("block" if isinstance(kind, str) and kind in ONE_TOKEN else None)
        return {**said, "selector": selector, **({} if slot is None else {"slot": slot})}

    def _line(self, revocation: Revocation) -> Line:
        selector, terms = revocation.selector, self._terms
        if selector.kind in _SINGLE_HANDED:
            raise BadLine(f"kind: {selector.kind} is not for files; one wrong line would end everything")
        if selector.issuer != terms.issuer:
            raise BadLine("issuer: this authority revokes for itself only")
        if selector.kind in ONE_TOKEN:
            _check_no_token(selector.kind, selector.values[0])
        try:
            name, code = terms.name(selector)
            terms.times(revocation, int(self._now()))
        except ClaimUndeclared:
            raise BadLine("kind: this claim is not declared") from None
        except InvalidRequest as error:
            raise BadLine(str(error)) from None
        return Line(name, selector.values, self._manner(revocation, code))

    def _manner(self, revocation: Revocation, code: int) -> Manner:
        if len(self._manners) >= _MAX_MANNERS:
            self._manners.clear()
        key = (code, revocation.slot, revocation.cutoff, revocation.expires_at)
        return self._manners.setdefault(key, Manner(revocation, code))


def _said(shape: _Shape, values: list[str]) -> dict[str, Any]:
    kind, issuer, slot, cutoff, expires_at = shape
    said: dict[str, Any] = {"selector": {"values": values}}
    if kind is not None:
        said["selector"]["kind"] = kind
    if issuer is not None:
        said["selector"]["issuer"] = issuer
    if slot is not None:
        said["slot"] = slot
    if cutoff is not None:
        said["cutoff"] = _seconds("cutoff", cutoff)
    if expires_at is not None:
        said["expires_at"] = "never" if expires_at == "never" else _seconds("expires_at", expires_at)
    return said


def _seconds(column: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= 10):
        raise BadLine(f"{column}: must be seconds since 1970")
    return int(cell)


def _row(text: str) -> list[str]:
    try:
        (row,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        if "unexpected end of data" in str(error):
            # What follows is the rest of a value. Whoever chose that value must not choose rows by it.
            raise Unreadable(
                "row_over_lines",
                "A row's quote is not closed on its line, and a row is a line: leave it out, or write the file as JSON lines.",
            ) from None
        raise BadLine("is not one row of CSV: a row is a line") from None
    return row


def _checked(columns: Iterable[str]) -> tuple[str, ...]:
    names = tuple(columns)
    if "value" not in names or len(set(names)) < len(names) or not set(names) <= set(COLUMNS):
        raise Unreadable(
            "unknown_columns",
            f"The first row must name the columns: value, and of {', '.join(COLUMNS)} what there is.",
        )
    return names


def _check_no_token(kind: str, value: str) -> None:
    if kind in ONE_TOKEN and _JWS.fullmatch(value):
        raise BadLine('is a whole token, not its jti: write {"token": …} in JSON lines')
