"""An ASGI application behind a real HTTP server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextlib.contextmanager
def serving(app: Any, port: int = 0, **options: Any) -> Iterator[str]:
    """The application's URL, on this port or a free one, from the moment it answers. `options` are uvicorn's."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = _Server(uvicorn.Config(app, log_level="warning", **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.up.wait(20), "the server did not start in time"
            scheme = "https" if options else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
