"""The way to Kafka: name, connection, TLS and login told apart, for each bootstrap server and for what the brokers call themselves."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.schemas.connecting import obstacle
from revocast.schemas.settings import KafkaSettings

__all__ = ["examine_network"]

_CHECK: Final = "Kafka"
_MEND: Final = (
    "Addresses are in REVOCAST_KAFKA; what protects the connections is in the variables that begin with it."
)
_TIMEOUT: Final = 5.0
_LOGIN_TIMEOUT: Final = 10.0


async def examine_network(settings: KafkaSettings) -> AsyncIterator[Finding]:
    """A failure for the whole if no bootstrap server lets us in."""
    servers = [server.strip() for server in settings.kafka.split(",")]
    problems = dict(
        zip(servers, await asyncio.gather(*(_problem(settings, one) for one in servers)), strict=True)
    )
    good = [server for server, problem in problems.items() if not problem]
    for problem in problems.values():
        if problem:
            yield (warn if good else fail)(_CHECK, problem, _MEND)
    if not good:
        return
    login = f", logged in as {settings.kafka_username}" if settings.kafka_security == "sasl_ssl" else ""
    yield ok(_CHECK, f"{', '.join(good)} answers ({settings.kafka_security}{login})")
    async for finding in _advertised(settings, servers):
        yield finding


async def _problem(settings: KafkaSettings, server: str) -> str:
    """What keeps us from one bootstrap server; empty: nothing."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        return f"{server} is not host:port"
    if problem := await _reach(host.strip("[]"), int(port)):
        return f"{server} {problem}"
    alone = settings.model_copy(update={"kafka": server})
    try:
        async with asyncio.timeout(_LOGIN_TIMEOUT):
            # What is in the way is worth saying only where something is: of a broker that lets us in, it guesses.
            return (
                ""
                if await _lets_in(alone)
                else await obstacle(create_conn, alone) or f"{server} does not answer"
            )
    except TimeoutError:
        return f"{server} takes the connection, and says nothing: is it a Kafka?"


async def _lets_in(settings: KafkaSettings) -> bool:
    admin = AIOKafkaAdminClient(**settings.client_options(), request_timeout_ms=int(_LOGIN_TIMEOUT * 1000))
    try:
        await admin.start()
    except KafkaError:
        return False
    finally:
        await admin.close()
    return True


async def _reach(host: str, port: int) -> str:
    """What keeps us from opening a connection; empty: nothing."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return f"cannot be found: no DNS server and no hosts file here knows the name {host}"
    except TimeoutError:
        return f"does not answer within {_TIMEOUT:.0f} s: a firewall, or a host that is down"
    except ConnectionRefusedError:
        return "refuses the connection: nothing listens on that port"
    except OSError as error:
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    writer.close()
    return ""


async def _advertised(settings: KafkaSettings, servers: list[str]) -> AsyncIterator[Finding]:
    """Clients talk to brokers under the names that those give themselves, which can differ from what we were told."""
    admin = AIOKafkaAdminClient(**settings.client_options(), request_timeout_ms=int(_LOGIN_TIMEOUT * 1000))
    try:
        await admin.start()
        brokers = (await admin.describe_cluster())["brokers"]
    except KafkaError:
        return  # what keeps us from here is told by the checks of topics and rights
    finally:
        await admin.close()
    for broker in brokers:
        address = f"{broker['host']}:{broker['port']}"
        if address not in servers and (problem := await _reach(broker["host"], broker["port"])):
            yield fail(
                _CHECK,
                f"a broker calls itself {address}, and that {problem}",
                "Let advertised.listeners of that broker name an address that this host can reach.",
            )
