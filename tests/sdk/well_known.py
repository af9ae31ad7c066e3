"""The issuer's one page that a guard may fetch, on a real HTTP server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@contextmanager
def well_known() -> Iterator[WellKnown]:
    """A server on a free port of loopback."""
    page = WellKnown()
    thread = threading.Thread(target=page.server.serve_forever)
    thread.start()
    try:
        yield page
    finally:
        page.server.shutdown()
        thread.join()
        page.server.server_close()


def newest_list(authority: Authority) -> bytes:
    """What the issuer serves there."""
    listed = [message.value for message in authority.keys if message.key.startswith(b"delegations/")]
    assert listed[-1] is not None
    return listed[-1]
