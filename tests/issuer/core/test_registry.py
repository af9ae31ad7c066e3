"""Clients, their secrets, and the services that take tokens."""

import statistics
import time
from collections.abc import Callable

import pytest

from revocast.issuer.errors import Conflict, InvalidRequest, NotFound, NotInitialized
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.storage.outbox import oldest_events
from revocast.schemas.audit import AuditEvent, AuditType
from tests.issuer.core.authority import ORDERS, Authority


def test_only_the_right_secret_opens(authority: Authority) -> None:
    authority.client()
    registered = authority.service.register_client("Billing", {ORDERS: ["read"]}, actor="alice")
    client_id, secret = registered.client.client_id, registered.client_secret
    assert authority.service.authenticate_client(client_id, secret) == registered.client
    for wrong in ("", secret + "x", secret[:-1], "é", "\0"):
        assert authority.service.authenticate_client(client_id, wrong) is None
    assert authority.service.authenticate_client("nobody", secret) is None
    assert authority.service.client(client_id) == registered.client
    assert registered.client in authority.service.clients()
    with pytest.raises(NotFound):
        authority.service.client("nobody")


def test_an_unknown_client_costs_what_a_known_one_costs(authority: Authority) -> None:
    def cost(client_id: str) -> float:
        # This thread's own work: what else the machine does is not in it.
        start = time.thread_time()
        assert authority.service.authenticate_client(client_id, "wrong") is None
        return time.thread_time() - start

    pairs = [(cost("operator"), cost("nobody")) for _ in range(15)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.8 < known / unknown < 1.25


def test_what_cannot_be_registered_names_its_field(authority: Authority) -> None:
    service = authority.service
    client_id = authority.client()
    attempts: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: service.register_client("", {ORDERS: []}, actor=""), InvalidRequest, "name"),
        (lambda: service.register_client("a\nb", {ORDERS: []}, actor=""), InvalidRequest, "name"),
        (lambda: service.register_client("a", {"https://x": []}, actor=""), NotFound, "audience"),
        (lambda: service.register_client("a", {ORDERS: ["admin"]}, actor=""), InvalidRequest, "scope"),
        (lambda: service.register_client("a", {}, introspects=["x"], actor=""), NotFound, "audience"),
        (lambda: service.register_client("a", {}, client_id="a b", actor=""), InvalidRequest, "client_id"),
        (lambda: service.register_client("a", {}, client_id=client_id, actor=""), Conflict, "client_id"),
        (lambda: service.register_resource_server(ORDERS, "a", [], actor=""), Conflict, "audience"),
        (lambda: service.register_resource_server("", "a", [], actor=""), InvalidRequest, "audience"),
        (lambda: service.register_resource_server("x", "a", ["a b"], actor=""), InvalidRequest, "scope"),
    ]
    before = (service.clients(), service.resource_servers())
    for attempt, error, field in attempts:
        with pytest.raises(error, match=field):
            attempt()
    assert (service.clients(), service.resource_servers()) == before


def test_every_operator_action_is_audited_in_its_own_transaction(authority: Authority) -> None:
    client_id = authority.client()
    authority.block("subject", "bob")
    authority.service.rotate_key(actor="alice")
    authority.service.mint(client_id, ORDERS, subject="bob2", actor="alice")
    with authority.storage.read() as session:
        events = [AuditEvent.model_validate_json(row.event) for row in oldest_events(session, 100)]
    assert [event.type for event in events[3:]] == [
        AuditType.RESOURCE_SERVER_REGISTERED,
        AuditType.CLIENT_REGISTERED,
        AuditType.REVOKED,
        AuditType.KEY_ANNOUNCED,
        AuditType.TOKEN_MINTED,
    ]
    revoked = events[5]
    assert revoked.subject == "subject/bob"
    assert (revoked.data["actor"], revoked.data["reason"], revoked.data["n"]) == ("alice", "a test", 2)
    assert revoked.data["expires_at"] is None


def test_a_sealed_key_opens_only_under_its_master_key_and_its_own_name() -> None:
    keys = SealedKeys(bytes(32))
    one, two = keys.generate("EdDSA"), keys.generate("EdDSA")
    signature = SealedKeys(bytes(32)).signer(one.public.kid, one.handle).sign(b"input")
    assert one.public.verify(b"input", signature)
    for kid, handle, master in (
        (one.public.kid, one.handle, b"\1" * 32),
        (one.public.kid, two.handle, bytes(32)),
        (one.public.kid, one.handle[:-1] + bytes([one.handle[-1] ^ 1]), bytes(32)),
        (one.public.kid, b"", bytes(32)),
    ):
        with pytest.raises(NotInitialized, match="master key"):
            SealedKeys(master).signer(kid, handle)
    for text in ("", "short", "!" * 43):
        with pytest.raises(InvalidRequest, match="master key"):
            SealedKeys.from_text(text)
