"""A token that is asked for while the key changes hands."""

import threading

import pytest
from sqlalchemy import text

from revocast.issuer import key_desk
from revocast.schemas.jose import parse_compact
from tests.issuer.core.authority import ORDERS, Authority


def minted_by(token: str) -> object:
    return parse_compact(token, 16_384).header["kid"]


@pytest.fixture
def database(postgres: str) -> str:
    """SQLite has one writer at a time: there the two never meet."""
    return postgres


def test_minting_that_waited_for_a_rotation_signs_with_the_new_key(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = authority.client()
    new = authority.service.rotate_key(actor="alice")
    authority.announce_all()
    authority.clock.now += authority.terms.announce_seconds
    signed: list[str] = []

    def mint() -> None:
        minted = authority.mint.mint(client, ORDERS, None, subject="bob", extra={}, lifetime_s=60)
        signed.append(minted.token)

    thread, write_key_set = threading.Thread(target=mint), key_desk.write_key_set

    def write_while_one_waits(*args: object) -> None:
        thread.start()
        deadline = threading.Event()
        for _ in range(500):
            with authority.storage.read() as session:
                if session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    break
            deadline.wait(0.02)
        write_key_set(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(key_desk, "write_key_set", write_while_one_waits)
    authority.key_desk.advance()
    thread.join(30)
    assert authority.service.explain(signed[0]).answer == "accepted"
    assert minted_by(signed[0]) == new.kid
