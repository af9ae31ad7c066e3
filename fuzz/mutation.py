"""Mutations of JSON as a tree: bytes changed at random are no JSON any more, and a parser's first line ends the search."""

import copy
import json
import random
from typing import Any

__all__ = ["mutated"]

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63, 10**19, 10**20, 1.5, -0.0, 1e308,
    "", "0", "A", "\x00", "\ud800", "é", "e\u0301", "A" * 300, [], {}, [[]], {"": {}},
)  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes | None:
    """The same JSON with a few places changed; None: it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        value = _changed(value, rng)
    return json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    places = list(_places(value))
    if not places or rng.random() < 0.02:
        return copy.deepcopy(rng.choice(_ODD))
    holder, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1:
            other, there = rng.choice(places)
            holder[key] = copy.deepcopy(other[there])
        case 2 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case 2:
            holder[str(rng.choice(_ODD))] = copy.deepcopy(holder[key])
        case 3 if isinstance(holder[key], int | float):
            holder[key] += rng.choice((-1, 1, 1000, 10**9))
        case 4 if isinstance(holder[key], str) and holder[key]:
            at = rng.randrange(len(holder[key]))
            holder[key] = (
                holder[key][:at] + chr(rng.randrange(1, 0x250)) + holder[key][at + rng.randrange(2) :]
            )
        case _:
            holder[key] = copy.deepcopy(rng.choice(_ODD))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 1000:
        holder = waiting.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(len(holder))
            if isinstance(holder, list)
            else ()
        )
        for key in keys:
            found.append((holder, key))
            waiting.append(holder[key])
    return found
