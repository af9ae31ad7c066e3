import ssl

import pytest

from revocast.sdk.errors import PinFailed
from revocast.sdk.pin import fetch_list, root_of
from revocast.testing import Authority
from tests.sdk.well_known import WellKnown, newest_list

TLS = ssl.create_default_context()


def test_the_newest_root_is_pinned(issuer: WellKnown) -> None:
    authority = Authority(issuer.url)
    authority.rotate_root()
    authority.rotate_root()
    issuer.body = newest_list(authority) + b"\n"
    assert root_of(fetch_list(issuer.url, 5, TLS), issuer.url) == authority.root.kid
    assert issuer.requests == ["/.well-known/revocast"]


def test_a_list_of_another_issuer_pins_nothing() -> None:
    authority = Authority("https://other.test")
    with pytest.raises(PinFailed, match="another issuer"):
        root_of(newest_list(authority), "https://issuer.test")


def test_a_list_that_its_root_did_not_sign_pins_nothing() -> None:
    authority = Authority()
    head, _, signature = newest_list(authority).rpartition(b".")
    flipped = (b"B" if signature[:1] == b"A" else b"A") + signature[1:]
    with pytest.raises(PinFailed, match="not signed by its own root"):
        root_of(head + b"." + flipped, authority.issuer)
    authority.root = authority.event_key
    authority.publish_delegations()
    with pytest.raises(PinFailed, match="not signed by its own root"):
        root_of(newest_list(authority), authority.issuer)


@pytest.mark.parametrize("value", [b"", b"<html>", b"a.b.c"])
def test_anything_else_pins_nothing(value: bytes) -> None:
    with pytest.raises(PinFailed, match="not a delegation list"):
        root_of(value, "https://issuer.test")


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "issuer.test",
        "http://127.0.0.1.evil.test",
    ],
)
def test_plain_http_is_for_loopback_only(url: str) -> None:
    with pytest.raises(PinFailed, match="not an https URL"):
        fetch_list(url, 1, TLS)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 500])
def test_nothing_but_the_answer_itself_is_taken(issuer: WellKnown, status: int) -> None:
    issuer.body, issuer.status = newest_list(Authority(issuer.url)), status
    with pytest.raises(PinFailed):
        fetch_list(issuer.url, 5, TLS)
    assert issuer.requests == ["/.well-known/revocast"]


def test_an_endless_answer_is_cut_off(issuer: WellKnown) -> None:
    issuer.body = b"A" * 2_000_000
    with pytest.raises(PinFailed):
        root_of(fetch_list(issuer.url, 5, TLS), issuer.url)


def test_an_issuer_that_is_away_is_told() -> None:
    with pytest.raises(PinFailed, match="cannot be fetched"):
        fetch_list("http://127.0.0.1:1", 1, TLS)
