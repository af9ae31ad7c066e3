"""Where the list in force is read: at the issuer, from a bundle, or from Kafka when there is no issuer to ask."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from revocast.cli.errors import Misused, Refused
from revocast.cli.operator import Operator
from revocast.cli.settings import kafka_settings, trust_settings
from revocast.cli.topic_reader import read_to_end
from revocast.cli.trust.known import Bundle, KnownTrust
from revocast.schemas.delegations import DelegationList
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import parse_json
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.trust import Trust

__all__ = [
    "SCOPE",
    "FromFile",
    "FromKafka",
    "from_file",
    "from_issuer",
    "from_kafka",
    "list_on_topic",
    "read_bundle",
]

SCOPE = "revocast:trust"
_MAX_BUNDLE_BYTES = 4 * 1024 * 1024

FromFile = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="FILE", help="A bundle of `trust request`: this machine needs no network."
    ),
]
FromKafka = Annotated[
    bool,
    typer.Option("--kafka", help="Straight from and to Kafka: the issuer and its database may be down."),
]


def from_issuer(operator: Operator, pin: str | None) -> KnownTrust:
    """Ask the issuer. `pin` is a root's thumbprint, here and below."""
    bundle = Bundle.parse(operator.get("/v1/trust", SCOPE), "the issuer's answer")
    return KnownTrust.of_bundle(bundle, pin, "the issuer")


def from_file(path: Path, pin: str | None) -> KnownTrust:
    """Read a bundle, or a signed list. Raises `Misused` or `Refused`."""
    content = _content(path)
    if content.lstrip().startswith(b"{"):
        return KnownTrust.of_bundle(read_bundle(path), pin, str(path))
    return KnownTrust.of_list(content, trust_settings().issuer, pin, str(path))


def read_bundle(path: Path) -> Bundle:
    """Raises `Misused`."""
    try:
        return Bundle.parse(parse_json(_content(path)), str(path))
    except SchemaError as error:
        raise Misused(
            f"{path}: is not a bundle: {error}", "Make one: revocast trust request --out FILE"
        ) from None


def from_kafka(pin: str | None) -> KnownTrust:
    """The newest list on `revocast.keys` that the pinned root stands behind. Raises `Misused`, `Refused` or `Unreachable`."""
    settings, kafka = trust_settings(), kafka_settings()
    pin = pin or settings.root
    if pin is None:
        raise Misused(
            "what anybody may have written to Kafka is not believed without a pinned root",
            "Set REVOCAST_ROOT to the root's thumbprint.",
        )
    _, newest = asyncio.run(list_on_topic(kafka, Trust(settings.issuer, pin)))
    if newest is None:
        raise Refused(f"{kafka.topics.keys} holds no delegation list of {settings.issuer} under root {pin}")
    return KnownTrust.of_list(newest, settings.issuer, pin, kafka.topics.keys)


async def list_on_topic(kafka: KafkaSettings, trust: Trust) -> tuple[Trust, bytes | None]:
    """`trust` after reading all of `revocast.keys`, and the bytes of the list that it then has in force."""
    newest, listed = None, None
    async for record in read_to_end(kafka, kafka.topics.keys):
        trust.receive(record.value, record.offset)
        if isinstance(trust.delegations, DelegationList) and trust.delegations is not listed:
            listed, newest = trust.delegations, record.value
    return trust, newest


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BUNDLE_BYTES)
    except OSError as error:
        raise Misused(f"{path}: cannot be read: {error.strerror}") from None
