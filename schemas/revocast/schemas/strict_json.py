"""Strict JSON: what every parser would read alike, and bounded before a parser runs.

* One value in UTF-8 (RFC 8725 §3.7), member names unique at every level (RFC 7515 §4, RFC 7519 §4: where parsers differ in
  which of two they take, one of them checks what another one uses), no lone surrogates.
* Numbers are finite and no longer than a double or a 64-bit integer is written (RFC 8259 §6): no NaN, Infinity, 1e400, or
  thousand digits.
* Depth and the number of values are bounded in the text, because the parser recurses for the one and makes an object for
  each of the other.
* No error holds a part of the text, nor does an error that it came from.
"""

import json
import re
from typing import Any, Final

from revocast.schemas.errors import JoseError

__all__ = ["canonical_json", "parse_json"]

# Marks inside strings must not count: closing brackets would hide opening ones. It takes an unfinished string to its end
# and never goes back, so it is linear for any text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_LONGEST_INTEGER: Final = 20
_LONGEST_NUMBER: Final = 40


def parse_json(data: bytes, *, max_depth: int = 16, max_values: int = 32_768) -> Any:
    """Parse UTF-8 JSON of at most `max_depth` levels and `max_values` values; objects and arrays count, empty ones as two.

    Raises `JoseError` for anything that is not strict in the sense of this module.
    """
    _check_bounds(data, max_depth, max_values)
    try:
        text = data.decode("utf-8").strip(" \t\n\r")
        value, end = _DECODER.raw_decode(text)
        # A lone surrogate can only come from a \u escape, so a text without one need not be walked.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeError, json.JSONDecodeError, RecursionError) as error:
        problem = type(error).__name__
    else:
        if end == len(text):
            return value
        problem = "something stands behind the value"
    # Out here, because what is raised above would lead to the other error, and that one holds the text.
    raise JoseError(f"json: {problem}")


def canonical_json(value: object) -> bytes:
    """Compact JSON with sorted members, ASCII only: the form in which events are written."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode("ascii")


def _check_bounds(data: bytes, max_depth: int, max_values: int) -> None:
    opened = data.count(b"[") + data.count(b"{")
    # With what stands in strings these counts are too high at worst: where they are within bounds, nothing is deep or large.
    if opened <= max_depth and opened + data.count(b",") < max_values:
        return
    # Anybody can make a reader do the rest, with half a megabyte of brackets: so it runs in C, a pass for each level.
    marks = _STRING.sub(b"", data)
    brackets = marks.translate(_ONE_KIND, _NO_BRACKET)
    if brackets.count(b"[") + marks.count(b",") >= max_values:
        raise JoseError(f"json: more than {max_values} values")
    for _ in range(max_depth):
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise JoseError(f"json: nested deeper than {max_depth}, or brackets do not match")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseError("json: a member name stands twice")
    return members


def _no_constant(name: str) -> Any:
    raise JoseError(f"json: {name} is not a number")


def _number(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else float("inf")
    if value in (float("inf"), float("-inf")):
        raise JoseError("json: a number is out of range")
    return value


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise JoseError("json: a number is out of range")
    return int(text)


# Made once: to make one costs more than to read a token's claims with it.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_number, parse_int=_integer
)
