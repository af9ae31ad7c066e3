"""Says once a day in the log what `status` warns about: a list that expires in a month is nobody's incident today."""

import asyncio
import logging
from typing import Final

from revocast.issuer.errors import IssuerError
from revocast.issuer.service import Service

__all__ = ["remind_daily"]

_LOG: Final = logging.getLogger(__name__)
_DAY_S: Final = 86_400.0


async def remind_daily(service: Service, every_s: float = _DAY_S) -> None:
    """Log the warnings now and every `every_s` seconds, until it is cancelled."""
    while True:
        try:
            for warning in await asyncio.to_thread(service.warnings):
                _LOG.warning("%s", warning)
        except IssuerError as error:
            _LOG.warning("warnings: %s", error)
        await asyncio.sleep(every_s)
