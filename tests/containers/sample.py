"""The sample service as a caller sees it, and the operator who registers it and mints its tokens."""

import time

import httpx

from tests.containers.composed import Composed

DEADLINE_S = 10.0


def register(composed: Composed) -> None:
    """The service `orders`, and a client that may read there."""
    composed.revocast("services", "register", "orders", "--scope", "read")
    composed.revocast("clients", "register", "Web shop", "--client-id", "web-shop", "--access", "orders=read")


def mint(composed: Composed, subject: str) -> str:
    """A token for `orders`."""
    return composed.revocast("mint", subject, "--client", "web-shop", "--audience", "orders").strip()


def status(composed: Composed, token: str) -> int:
    """What the sample service answers to it."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"http://127.0.0.1:{composed.orders_port}/whoami", headers=headers).status_code


def becomes(composed: Composed, token: str, wanted: int) -> None:
    """Wait until the sample service answers `wanted`."""
    deadline = time.monotonic() + DEADLINE_S
    while (seen := status(composed, token)) != wanted:
        assert time.monotonic() < deadline, f"still {seen}, not {wanted}, after {DEADLINE_S} s"
        time.sleep(0.05)
