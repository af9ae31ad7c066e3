"""gzip (RFC 1952), unpacked piece by piece: never more than a piece in memory, and no bomb is unpacked to its end."""

import zlib
from collections.abc import Iterator
from typing import Final

from revocast.issuer.operators.bulk.errors import Unreadable

__all__ = ["Gunzip"]

_PIECE: Final = 256 * 1024
_BITE: Final = 16 * 1024
_GZIP: Final = 31
_FREE: Final = 1024 * 1024
_MAX_RATIO: Final = 100
"""Names that differ from line to line do not pack like that; a bomb packs ten times better."""


class Gunzip:
    """Members may follow each other, as `cat a.gz b.gz` makes them. Raises `Unreadable`."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._packed = self._unpacked = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to."""
        # At each member's end the library copies what is left: of a megabyte of empty members that would be 25 GB.
        for start in range(0, len(data), _BITE):
            yield from self._feed(data[start : start + _BITE])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        self._packed += len(data)
        while True:
            if self._member.eof:
                if not data:
                    return
                self._member = zlib.decompressobj(_GZIP)
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error:
                raise Unreadable(
                    "damaged_gzip", "The file is said to be gzip, and is not, or is damaged."
                ) from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._unpacked += len(piece)
            if self._unpacked > _FREE + _MAX_RATIO * self._packed:
                raise Unreadable(
                    "unpacks_too_far",
                    f"The file unpacks to more than {_MAX_RATIO} times its size. Send it unpacked.",
                )
            if piece:
                yield piece
            if not data and len(piece) < _PIECE:
                return

    def end(self) -> None:
        """There is no more. Raises `Unreadable` if there should be."""
        if not self._member.eof:
            raise Unreadable("damaged_gzip", "The gzip file ends too early.")
