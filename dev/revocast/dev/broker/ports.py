"""Free TCP ports on this host."""

import random
import socket
from contextlib import ExitStack

# Below the ephemeral range: an outgoing connection cannot take a killed node's port before it is back.
_RANGE = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """`count` different ports that were free on 127.0.0.1 just now."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(_RANGE)  # noqa: S311 - not a secret
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found
