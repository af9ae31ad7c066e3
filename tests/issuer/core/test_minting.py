"""No token is minted that the authority itself would refuse."""

import threading
from collections.abc import Callable

import pytest

from revocast.issuer.authority.answers import MintedToken
from revocast.issuer.errors import AccessDenied, InvalidRequest, NotFound, TokenRejected
from revocast.issuer.storage.naming_locks import hold_names
from revocast.schemas.jose import b64u, canonical_json, parse_compact
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.authority import ISSUER, ORDERS, Authority, T


def mint(authority: Authority, client: str, **more: object) -> MintedToken:
    request: dict[str, object] = {"subject": None, "extra": {}, "lifetime_s": None, "scope": None} | more
    return authority.mint.mint(client, ORDERS, **request)  # type: ignore[arg-type]


def test_a_token_says_what_rfc_9068_asks_for(authority: Authority) -> None:
    client = authority.client()
    minted = mint(authority, client, subject="alice", extra={"sid": "s1", "tenant": "acme"}, scope=["read"])
    header = parse_compact(minted.token, 4096).header
    assert header == {"alg": "ES256", "kid": authority.service.keys()[0].kid, "typ": "at+jwt"}
    expected = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": ORDERS,
        "client_id": client,
        "scope": "read",
        "iat": T,
        "exp": T + 600,
        "sid": "s1",
        "tenant": "acme",
        "jti": minted.claims["jti"],
    }
    assert authority.service.verify(minted.token, ORDERS) == expected
    assert (minted.expires_in, minted.scope) == (600, "read")


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_every_algorithm_signs_what_verifies(found: Callable[..., Authority], alg: str) -> None:
    authority = found(alg=alg)
    minted = mint(authority, authority.client())
    assert parse_compact(minted.token, 4096).header["alg"] == alg
    assert authority.service.verify(minted.token)["iss"] == ISSUER


def test_after_a_sign_out_a_new_token_works_and_the_old_one_does_not(authority: Authority) -> None:
    client = authority.client()
    old = mint(authority, client, subject="alice")
    authority.cut("subject", "alice")
    new = mint(authority, client, subject="alice")
    assert new.claims["iat"] == T + 1, "it waited for the next second"
    assert authority.service.explain(old.token).reason == "token_revoked"
    assert authority.service.explain(new.token).answer == "accepted"


def test_a_cutoff_that_lies_far_ahead_of_this_clock_is_not_waited_for(authority: Authority) -> None:
    client = authority.client()
    authority.cut("subject", "alice")
    authority.clock.now -= 60
    with pytest.raises(AccessDenied, match="clock"):
        mint(authority, client, subject="alice")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("subject", ("alice",)),
        ("subject+client", ("alice", "CLIENT")),
        ("client", ("CLIENT",)),
        ("session", ("s1",)),
        ("grant", ("g1",)),
        ("claim:tenant", ("acme",)),
        ("issuer", ()),
    ],
)
def test_nothing_is_minted_for_what_is_blocked(
    authority: Authority, kind: str, values: tuple[str, ...]
) -> None:
    client = authority.client()
    named = tuple(client if value == "CLIENT" else value for value in values)
    request = {"subject": "alice", "extra": {"sid": "s1", "grant_id": "g1", "tenant": "acme"}}
    mint(authority, client, **request)
    authority.block(kind, *named)
    with pytest.raises(AccessDenied):
        mint(authority, client, **request)
    authority.lift(kind, *named, slot=Slot.BLOCK)
    mint(authority, client, **request)


NAMES = [("subject", "alice"), ("session", "s-1"), ("grant", "g-1"), ("claim:tenant", "acme"), ("issuer",)]


@pytest.mark.parametrize("named", [*NAMES, ("client", None), ("subject+client", "alice", None)])
def test_minting_and_the_end_of_what_the_token_names_wait_for_each_other(
    authority: Authority, named: tuple[str | None, ...]
) -> None:
    client = authority.client()
    kind, values = str(named[0]), tuple(value or client for value in named[1:])
    fingerprint, _ = authority.terms.name(Selector(ISSUER, kind, values))
    extra = {"sid": "s-1", "grant_id": "g-1", "tenant": "acme"}

    def mint_one() -> None:
        mint(authority, client, subject="alice", extra=extra)

    def end_it() -> None:
        authority.cut(kind, *values)

    for share, other in ((True, end_it), (False, mint_one)):
        done = threading.Event()

        def run(other: Callable[[], None] = other, done: threading.Event = done) -> None:
            other()
            done.set()

        with authority.storage.write() as session:
            hold_names(session, [fingerprint], share=share)
            thread = threading.Thread(target=run)
            thread.start()
            assert not done.wait(0.2)
        thread.join(10)
        assert done.is_set()


def test_a_client_gets_no_more_than_it_was_given(authority: Authority) -> None:
    client = authority.client(scopes=["read"])
    with pytest.raises(InvalidRequest, match="scope"):
        mint(authority, client, scope=["read", "write"])
    with pytest.raises(AccessDenied):
        authority.mint.mint(client, ISSUER, None, subject=None, extra={}, lifetime_s=None)
    with pytest.raises(NotFound):
        mint(authority, "nobody")
    with pytest.raises(InvalidRequest, match="lifetime"):
        mint(authority, client, lifetime_s=3601)
    for extra in ({"aud": "x"}, {"device_id": "x"}, {"tenant": 7}, {"sid": ""}):
        with pytest.raises(InvalidRequest, match="claims"):
            mint(authority, client, extra=extra)


def test_a_revoked_token_stays_refused_and_a_bad_one_has_a_reason(authority: Authority) -> None:
    minted = mint(authority, authority.client())
    with pytest.raises(TokenRejected) as raised:
        authority.service.verify(minted.token, ISSUER)
    assert raised.value.code == "wrong_audience"
    header, payload, signature = minted.token.split(".")
    forged = f"{header}.{b64u(canonical_json({**minted.claims, 'sub': 'root'}))}.{signature}"
    none = b64u(canonical_json({"alg": "none", "kid": authority.service.keys()[0].kid, "typ": "at+jwt"}))
    for token, code in (
        (forged, "bad_signature"),
        (f"{none}.{payload}.", "bad_signature"),
        ("x", "malformed_token"),
        ("é.é.é", "malformed_token"),
        (minted.token.split(".")[1], "malformed_token"),
    ):
        assert authority.service.explain(token).reason == code
    authority.revoke(authority.service.revocation_of(minted.token))
    assert authority.service.explain(minted.token).reason == "token_revoked"
    (finding,) = [
        item for item in authority.service.explain(minted.token).findings if item.selector.kind == "token"
    ]
    assert finding.refused_by == finding.rows and finding.rows[0].expires_at == T + 600 + 30
    authority.clock.now += 630
    assert authority.service.explain(minted.token).reason == "token_expired"
    assert not authority.revoke(authority.service.revocation_of(minted.token)).changed
