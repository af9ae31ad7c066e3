"""A service under attack: a guard as services embed it, fed by an authority in memory, and what "refused" means there."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from revocast.schemas.errors import JoseError
from revocast.schemas.jose import unb64u
from revocast.sdk import Claims
from revocast.sdk.errors import RevocastError, TokenError
from revocast.sdk.signatures import Signatures
from revocast.testing import Authority, InMemoryGuard

__all__ = ["Serve", "Service", "nothing_opened", "serve", "service", "signatures"]

_WINDOW = 12
"""So many characters of a token are a part of it."""
_OUTSIDE = ("open", "os.", "socket.", "subprocess.", "urllib.", "http.client.", "sqlite3.")
_opened: dict[int, list[str]] = {}


class Service:
    """One service, and everything that it writes."""

    def __init__(
        self,
        authority: Authority,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
        **guard: Any,
    ) -> None:
        self.authority = authority
        self.guard = InMemoryGuard(authority, **guard)
        self._caplog = caplog
        self._capfd = capfd
        caplog.set_level(logging.DEBUG)

    def accepts(self, token: str) -> Claims:
        """The claims of a token that must be good."""
        return self.guard.verify(token)

    def refuses(self, token: Any, *kinds: type[RevocastError]) -> RevocastError:
        """The error, of one of these kinds. It is counted, changes no state, and no part of the token is in it or in any log."""
        counters, state = self.guard.health().counters, self._state()
        with pytest.raises(kinds) as caught:
            self.guard.verify(token)
        error = caught.value
        assert type(error) in kinds
        counted = f"refused.{error.code}"
        assert self.guard.health().counters == {**counters, counted: counters.get(counted, 0) + 1}
        assert self._state() == state
        secrets = _readings(token)
        for text in (*_told_by(error), *self._written()):
            assert not any(
                text[start : start + _WINDOW] in secret
                for secret in secrets
                for start in range(len(text) - _WINDOW + 1)
            ), "a part of the token was told"
        return error

    def _state(self) -> tuple[Any, ...]:
        health = self.guard.health()
        return (
            self.guard.table(),
            health.state,
            health.delegations,
            health.key_set,
            health.keys,
            health.rows,
        )

    def _written(self) -> list[str]:
        captured = self._capfd.readouterr()
        return [self._caplog.text, captured.out, captured.err]


Serve = Callable[..., Service]


@pytest.fixture
def signatures() -> Signatures:
    """What checks signatures there. Where that is what is attacked, a file has this fixture with every backend."""
    return "cryptography"


@pytest.fixture
def serve(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], signatures: Signatures
) -> Serve:
    """Makes a service of an authority."""

    def make(authority: Authority, **guard: Any) -> Service:
        return Service(authority, caplog, capfd, **{"signatures": signatures, **guard})

    return make


@pytest.fixture
def service(serve: Serve) -> Service:
    """A service of an authority that signs with Ed25519 and declares the claim `tenant`."""
    return serve(Authority(claims=("tenant",)))


@contextmanager
def nothing_opened() -> Iterator[None]:
    """In here this thread opens no file, no socket and no process, and asks no name server."""
    if not _opened:
        sys.addaudithook(_note)  # for ever: Python takes none back
        _opened[0] = []
    mine = _opened[threading.get_ident()] = []
    try:
        yield
    finally:
        del _opened[threading.get_ident()]
    assert mine == []


def _note(event: str, _arguments: object) -> None:
    if event.startswith(_OUTSIDE) and (noted := _opened.get(threading.get_ident())) is not None:
        noted.append(event)


def _readings(token: object) -> list[str]:
    """The token, and what its segments say."""
    if not isinstance(token, str):
        return [repr(token)]
    texts = [token]
    for segment in token[:100_000].split("."):
        if len(segment) < _WINDOW:
            continue  # no part of it is long enough to be looked for, and there may be a hundred thousand of them
        try:
            texts.append(unb64u(segment).decode("latin-1"))
        except JoseError:
            continue
    return texts


def _told_by(error: BaseException) -> Iterator[str]:
    """All that an error and the errors behind it hold."""
    behind: BaseException | None = error
    while behind is not None:
        yield from (str(behind), repr(behind), repr(behind.args), repr(vars(behind)))
        yield "".join(traceback.format_exception_only(behind))
        if isinstance(behind, TokenError):
            yield behind.www_authenticate
        # Those of Python keep what they were about where no repr shows it.
        yield from (repr(getattr(behind, name, "")) for name in ("object", "doc"))
        behind = behind.__context__
