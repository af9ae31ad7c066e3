import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from revocast.sdk.errors import PinFailed
from revocast.sdk.pin import fetch_list, root_of
from revocast.testing import Authority


class WellKnown:
    """A real HTTP server that answers one path with `body`."""

    def __init__(self) -> None:
        self.body, self.status, self.requests = b"", 200, list[str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                self.send_response(outer.status)
                self.send_header("Location", f"{outer.url}/elsewhere")
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def issuer() -> Iterator[WellKnown]:
    well_known = WellKnown()
    thread = threading.Thread(target=well_known.server.serve_forever)
    thread.start()
    yield well_known
    well_known.server.shutdown()
    thread.join()
    well_known.server.server_close()


def newest_list(authority: Authority) -> bytes:
    listed = [message.value for message in authority.keys if message.key.startswith(b"delegations/")]
    assert listed[-1] is not None
    return listed[-1]


def test_the_newest_root_is_pinned(issuer: WellKnown) -> None:
    authority = Authority(issuer.url)
    authority.rotate_root()
    authority.rotate_root()
    issuer.body = newest_list(authority) + b"\n"
    assert root_of(fetch_list(issuer.url, 5), issuer.url) == authority.root.kid
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
        fetch_list(url, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 500])
def test_nothing_but_the_answer_itself_is_taken(issuer: WellKnown, status: int) -> None:
    issuer.body, issuer.status = newest_list(Authority(issuer.url)), status
    with pytest.raises(PinFailed):
        fetch_list(issuer.url, 5)
    assert issuer.requests == ["/.well-known/revocast"]


def test_an_endless_answer_is_cut_off(issuer: WellKnown) -> None:
    issuer.body = b"A" * 2_000_000
    with pytest.raises(PinFailed):
        root_of(fetch_list(issuer.url, 5), issuer.url)


def test_an_issuer_that_is_away_is_told() -> None:
    with pytest.raises(PinFailed, match="cannot be fetched"):
        fetch_list("http://127.0.0.1:1", 1)
