"""`revocast trust show`."""

import time
from collections.abc import Iterator
from typing import Any

import typer

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.errors import FOUND, Misused
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings, trust_settings
from revocast.cli.times import show_time
from revocast.cli.trust.describe import show_place
from revocast.cli.trust.known import KnownKey, KnownTrust
from revocast.cli.trust.sources import FromFile, FromKafka, from_file, from_issuer, from_kafka
from revocast.schemas.delegating import expiry_warning

__all__ = ["app"]

app = typer.Typer()

_DAY = 86_400


@app.command()
def show(source: FromFile = None, kafka: FromKafka = False, as_json: AsJson = False) -> Answer:
    """The delegation list in force: root, keys and their bounds, distrust, expiry. Under REVOCAST_ROOT, if that is set.

    \b
    revocast trust show
    revocast trust show --kafka
    revocast trust show --from list.jwt

    Exit code 1: the list has expired, and services no longer act on it. From 60 days before it says so.
    """
    known = _known(source, kafka)
    listed, now = known.in_force.listed, time.time()
    expired, warning = listed.expires_at <= now, expiry_warning(listed.expires_at, now)
    data = {
        "issuer": known.issuer,
        "version": listed.version,
        "epoch": listed.epoch,
        "root": known.roots[-1],
        "root_pinned": known.pinned,
        "roots": list(known.roots),
        "expires_at": listed.expires_at,
        "expired": expired,
        "warning": warning,
        "keys": [key.model_dump(mode="json") for key in known.keys],
        "distrust": listed.distrust.model_dump(mode="json"),
        "reissuing": known.reissuing,
        "from": known.origin,
    }
    style = "bold red" if expired else "bold yellow" if warning else "bold green"
    return Answer(data, lines(*_report(known, data, now), style=style), FOUND if expired else 0)


def _known(source: FromFile, kafka: bool) -> KnownTrust:
    if source is not None and kafka:
        raise Misused("--from and --kafka: there is one source", "Leave one of them out.")
    if kafka:
        return from_kafka(None)
    pin = trust_settings().root
    if source is not None:
        return from_file(source, pin)
    with Operator(operator_settings()) as operator:
        return from_issuer(operator, pin)


def _report(known: KnownTrust, data: dict[str, Any], now: float) -> Iterator[str]:
    if data["warning"]:
        yield data["warning"]
    days = int((data["expires_at"] - now) // _DAY)
    yield f"delegation list {data['version']} of {known.issuer}, epoch {data['epoch']} (from {known.origin})"
    if known.reissuing:
        yield "  re-issue      the live set of this epoch is not whole yet; services enforce the one before"
    pinned = "" if known.pinned else " (not pinned here: REVOCAST_ROOT pins it)"
    yield f"  root          {data['root']}{pinned}"
    for older in reversed(known.roots[:-1]):
        yield f"                handed over by {older}"
    yield f"  expires       {show_time(data['expires_at'])}" + (f", in {days} days" if days >= 0 else "")
    on_list = {key.public.kid for key in known.in_force.listed.keys}
    for key in known.keys:
        yield f"  {f'{key.role} key':<14}{key.kid}  {_state(key, listed=key.kid in on_list)}"
    distrust = known.in_force.listed.distrust
    if distrust.issuer:
        yield "  distrust      the whole issuer: services refuse every token"
    for kid in distrust.kids:
        yield f"  distrust      {kid}: what it signed is refused"


def _state(key: KnownKey, *, listed: bool) -> str:
    if key.bound is not None:
        return f"retired, good up to {show_place(key.bound)}"
    retired = "superseded, not bounded yet: `revocast trust retire` it" if listed else "retired"
    words = {
        "pending": "pending: no list delegates it yet",
        "retired": retired,
        "compromised": "compromised: nothing that it signs is believed",
    }
    return words.get(key.state, key.state) + (f"; signed up to {show_place(key.last)}" if key.last else "")
