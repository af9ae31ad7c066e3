"""One keep-alive HTTP connection that asks a service one question, as fast as it answers."""

import http.client
from types import TracebackType
from typing import Self

__all__ = ["Caller", "answers"]


class Caller:
    """A context manager. One connection, one thread: the smallest thing that measures the service and not the client."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, path: str, token: str | None = None) -> tuple[int, str]:
        """GET: the status, and the `WWW-Authenticate` of a refusal."""
        self._http.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = self._http.getresponse()
        answer.read()
        return answer.status, answer.headers.get("WWW-Authenticate") or ""


def answers(port: int, path: str) -> bool:
    """Whether a program listens on `port` and says 200 to `path`."""
    try:
        with Caller(port, timeout=2.0) as caller:
            return caller.call(path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
