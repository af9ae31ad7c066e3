"""The other workers: who holds a partition, and asking them over HTTP. One hop, never more."""

import ssl
from collections.abc import Mapping
from typing import cast

import aiohttp
import faust
from faust.assignor.partition_assignor import PartitionAssignor

from revocast.streams.errors import NotHere

__all__ = ["FORWARDED", "Peers"]

FORWARDED = "Revocast-Forwarded"
"""A request that carries this header was passed on already and is answered here or not at all."""
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Peers:
    """`table_topic` is the table's changelog, whose assignment Faust shares among the workers; `tls` judges their certificates."""

    def __init__(self, app: faust.App, table_topic: str, own_url: str, tls: ssl.SSLContext) -> None:
        self._app = app
        self._table_topic = table_topic
        self._own_url = own_url
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    @property
    def owners(self) -> Mapping[int, str]:
        """URL of the worker that was given each partition, as of the last assignment."""
        assignor = cast(PartitionAssignor, self._app.assignor)
        return {
            partition: url.rstrip("/")
            for url, topics in assignor.changelog_distribution.items()
            for partition in topics.get(self._table_topic, ())
        }

    async def get(
        self, partition: int, path: str, params: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers, body) of the partition's owner. Raises `NotHere` when there is none to ask."""
        url = self.owners.get(partition)
        if url is None or url == self._own_url:
            raise NotHere(f"partition {partition} is on the move, ask again")
        self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with self._session.get(
                url + path, params=params, headers={FORWARDED: "1"}, ssl=self._tls
            ) as answer:
                return answer.status, answer.headers, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            raise NotHere(f"the worker that holds partition {partition} does not answer") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
