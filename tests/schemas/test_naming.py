import hashlib

import pytest

from revocast.schemas.jose import b64u
from revocast.schemas.naming import values_of

CLAIMS = {
    "jti": "t",
    "sid": "s",
    "grant_id": "g",
    "sub": "alice",
    "client_id": "app",
    "azp": "other",
    "tenant": "acme",
}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("token", ("t",)),
        ("token_hash", None),
        ("session", ("s",)),
        ("grant", ("g",)),
        ("subject", ("alice",)),
        ("client", ("app",)),
        ("subject+client", ("alice", "app")),
        ("key", ("k",)),
        ("issuer", ()),
        ("claim:tenant", ("acme",)),
        ("claim:device_id", None),
    ],
)
def test_a_full_token_is_named_by_each_kind(kind: str, values: tuple[str, ...] | None) -> None:
    assert values_of(kind, CLAIMS, "k", b"input") == values


def test_a_token_without_jti_is_named_by_its_signing_input() -> None:
    digest = b64u(hashlib.sha256(b"input").digest())
    assert values_of("token_hash", {"sub": "alice"}, "k", b"input") == (digest,)
    assert values_of("token", {"sub": "alice"}, "k", b"input") is None


def test_azp_names_the_client_only_without_client_id() -> None:
    assert values_of("client", {"azp": "other"}, "k", b"") == ("other",)


@pytest.mark.parametrize("value", [None, "", 7, ["acme"], {"a": 1}, True])
def test_a_declared_claim_that_is_not_a_string_names_nothing(value: object) -> None:
    assert values_of("claim:tenant", {"tenant": value}, "k", b"") is None
