"""Why Kafka does not let us in, in words.

aiokafka says the same `KafkaConnectionError` for a wrong password, an unknown authority and a broker that is down. So one more
connection is made, and its error looked at. Nothing of a password or a key is in what is said.
"""

import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from revocast.schemas.settings import KafkaSettings

__all__ = ["obstacle"]

_TIMEOUT_MS: Final = 5_000
_BY_ERROR: Final = {
    "SaslAuthenticationFailed": "refuses this user name and password; see REVOCAST_KAFKA_USERNAME and REVOCAST_KAFKA_PASSWORD",
    "UnsupportedSaslMechanismError": "does not offer this login; see REVOCAST_KAFKA_MECHANISM",
    "IllegalSaslState": "takes no login on this port; see REVOCAST_KAFKA_SECURITY",
}


class Connection(Protocol):
    """What `connect` returns."""

    def close(self) -> object:
        """End it."""


async def obstacle(connect: Callable[..., Awaitable[Connection]], kafka: KafkaSettings) -> str:
    """What keeps us from the first bootstrap server; empty when one lets us in. `connect` is `aiokafka.conn.create_conn`."""
    options = kafka.client_options()
    found = ""
    for server in str(options.pop("bootstrap_servers")).split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            connection = await connect(host.strip("[]"), int(port), request_timeout_ms=_TIMEOUT_MS, **options)
        except Exception as error:
            found = found or f"{server.strip()} {_in_words(error, kafka, host)}"
        else:
            connection.close()
            # Before a login a broker answers what it can do, and then closes.
            return f"{server.strip()} may want a login: REVOCAST_KAFKA_SECURITY=sasl_ssl" * (
                kafka.kafka_security == "ssl"
            )
    return found


def _in_words(error: BaseException, kafka: KafkaSettings, host: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"shows a certificate that is not to be trusted ({error.verify_message}): is REVOCAST_KAFKA_CA the authority "
            f"that signed it, and {host} a name in it?"
        )
    if isinstance(error, ssl.SSLError):
        return _tls(error.reason or "")
    if name := _BY_ERROR.get(type(error).__name__):
        return name
    if error.__cause__ is not None:
        return _in_words(error.__cause__, kafka, host)
    if isinstance(error, EOFError):
        wanted = "ssl or sasl_ssl" if kafka.kafka_security == "plaintext" else "another"
        return f"closes the connection at once: it may want REVOCAST_KAFKA_SECURITY={wanted}"
    return f"does not answer: {error!s}" if str(error) else f"does not answer: {type(error).__name__}"


def _tls(reason: str) -> str:
    if reason == "WRONG_VERSION_NUMBER":
        return "speaks no TLS on this port; see REVOCAST_KAFKA_SECURITY"
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"wants a certificate that it trusts ({reason.lower()}); see REVOCAST_KAFKA_CERTIFICATE"
    return f"and we agree on no TLS ({reason.lower()})"
