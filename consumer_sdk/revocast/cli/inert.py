"""Text from outside, made harmless for a terminal.

A subject, a reason or a token's claim is chosen by strangers. Control characters could move the cursor, set the title or
paste a command; bidirectional and invisible ones could show `alice` where it says `mallory`.
"""

import unicodedata

__all__ = ["inert"]

# Cc control, Cf format (bidi, zero-width), Co/Cn unknown glyphs, Cs lone surrogates, Zl/Zp line and paragraph breaks.
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def inert(value: object) -> str:
    """The text with every character that is not plainly visible written as an escape, `\\x1b`."""
    return "".join(_visible(char) for char in str(value))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return char.encode("unicode_escape").decode()
