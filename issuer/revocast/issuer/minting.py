"""Minting RFC 9068 access tokens, never one that the authority itself would refuse.

* The clock is read before the deny state: a cutoff that is committed in between then refuses the token, instead of
  missing it.
* The names of the token are held shared: ending one of them waits until the claims are fixed, and reads its clock then.
* Client and key are held shared until the claims are fixed: ending a client, or superseding a key, waits for it.
* In a second in which a cutoff fell, minting waits for the next one, outside of any transaction.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.orm import Session

from revocast.issuer.authority.answers import MintedToken
from revocast.issuer.authority.deny_state import MintDecision, may_mint, selectors_of
from revocast.issuer.authority.expiry import lifetime_until
from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.registry import Client
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.errors import AccessDenied, InvalidRequest, NoSigningKey, NotFound
from revocast.issuer.keystore import KeyStore
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import as_row, rows_of
from revocast.issuer.storage.naming_locks import hold_names
from revocast.issuer.storage.registry import as_client, find_client
from revocast.issuer.storage.signing_keys import token_keys
from revocast.issuer.storage.tables import SigningKey
from revocast.schemas.jose import b64u, canonical_json
from revocast.schemas.naming import MAX_NAME, can_name, values_of
from revocast.schemas.selector import Selector

__all__ = ["TOKEN_TYP", "Mint", "check_may_sign"]

TOKEN_TYP: Final = "at+jwt"
_LONGEST_WAIT_S: Final = 10
_SHARED_KINDS: Final = ("session", "grant", "subject", "client", "subject+client", "issuer")


class Mint:
    """Makes access tokens. `sleep` waits out a second."""

    def __init__(
        self, storage: Storage, keystore: KeyStore, clock: Clock, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._storage = storage
        self._keystore = keystore
        self._clock = clock
        self._sleep = sleep

    def mint(
        self,
        client_id: str,
        audience: str,
        scope: Sequence[str] | None,
        *,
        subject: str | None,
        extra: Mapping[str, Any],
        lifetime_s: int | None,
    ) -> MintedToken:
        """See `Service.mint`."""
        deadline = self._clock() + _LONGEST_WAIT_S
        while True:
            now = self._clock()
            with self._storage.write() as session:
                terms = load_terms(session)
                check_may_sign(terms)
                named = {
                    **_extra(extra, terms),
                    "iss": terms.issuer,
                    "sub": subject or client_id,
                    "client_id": client_id,
                }
                _hold_names(session, terms, named)
                client = _held_client(session, client_id)
                key = _held_key(session)
                claims = {
                    **named,
                    "aud": audience,
                    "scope": " ".join(_granted(client, audience, scope)),
                    "iat": int(now),
                    "exp": int(now) + _lifetime(terms, int(now), lifetime_s),
                    "jti": str(uuid4()),
                }
                decision = _decide(session, terms, claims, key.kid)
                kid, handle = key.kid, key.handle
            if decision.blocked_by is not None:
                raise AccessDenied("what this token would name is blocked")
            if decision.wait_until is None:
                return MintedToken(self._sign(kid, handle, claims), claims)
            if decision.wait_until > deadline:
                raise AccessDenied(
                    "a cutoff lies ahead of this clock; compare the clocks of the issuer's hosts"
                )
            self._sleep(max(decision.wait_until - self._clock(), 0.001))

    def _sign(self, kid: str, handle: bytes, claims: Mapping[str, Any]) -> str:
        signer = self._keystore.signer(kid, handle)
        header = {"alg": signer.alg, "kid": kid, "typ": TOKEN_TYP}
        signing_input = f"{b64u(canonical_json(header))}.{b64u(canonical_json(claims))}"
        return f"{signing_input}.{b64u(signer.sign(signing_input.encode()))}"


def check_may_sign(terms: Terms) -> None:
    """Raise `NoSigningKey` while the root distrusts everything of this issuer: every service would refuse the token."""
    if terms.distrusted:
        raise NoSigningKey(
            "the root distrusts this issuer: no token is accepted anywhere; when that is over, its holder publishes a "
            "list that says so (revocast trust publish --kafka)"
        )


def _hold_names(session: Session, terms: Terms, named: Mapping[str, Any]) -> None:
    # The key's name is left out: its row is held. The token's own is not known to anybody yet.
    kinds = (*_SHARED_KINDS, *(f"claim:{name}" for name in terms.claims))
    found = ((kind, values_of(kind, named, "", b"")) for kind in kinds)
    selectors = [Selector(terms.issuer, kind, values) for kind, values in found if values is not None]
    hold_names(session, [terms.name(selector)[0] for selector in selectors], share=True)


def _held_client(session: Session, client_id: str) -> Client:
    row = find_client(session, client_id, share=True)
    if row is None:
        raise NotFound("client_id: no such client")
    if row.disabled:
        raise AccessDenied("the client is disabled")
    return as_client(row)


def _held_key(session: Session) -> SigningKey:
    # Again if there is none: PostgreSQL answers a statement that waited for a rotation without the key it made active.
    keys = token_keys(session, KeyState.ACTIVE, share=True) or token_keys(
        session, KeyState.ACTIVE, share=True
    )
    if not keys:
        raise NoSigningKey("no token key is active; the next one signs once it was announced long enough")
    return keys[0]


def _decide(session: Session, terms: Terms, claims: Mapping[str, Any], kid: str) -> MintDecision:
    names = {terms.name(selector) for selector in selectors_of(claims, kid, terms.claims)}
    stored = rows_of(session, (fingerprint for fingerprint, _ in names))
    # A row whose time is over, but which no record dropped yet, still stands at every reader: it counts here, too.
    rows = [as_row(row) for row in stored if (row.fingerprint, row.kind) in names]
    return may_mint(rows, claims["iat"])


def _granted(client: Client, audience: str, scope: Sequence[str] | None) -> list[str]:
    allowed = client.access.get(audience)
    if allowed is None:
        raise AccessDenied("the client may not ask for tokens of this audience")
    wanted = allowed if scope is None else frozenset(scope)
    if not wanted <= allowed:
        raise InvalidRequest("scope: exceeds what the client may have at this audience")
    return sorted(wanted)


def _lifetime(terms: Terms, iat: int, asked: int | None) -> int:
    longest = lifetime_until(terms.lifetimes, iat)
    if asked is not None and not 0 < asked <= longest:
        raise InvalidRequest(f"lifetime: 1 to {longest} seconds")
    return min(terms.token_lifetime, longest) if asked is None else asked


def _extra(extra: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
    known = {"sid", "grant_id", *terms.claims}
    for name, value in extra.items():
        if name not in known:
            raise InvalidRequest(f"claims: {name!r} is neither sid, nor grant_id, nor a declared claim")
        if not can_name(value):
            raise InvalidRequest(
                f"claims: {name!r} must be a string of 1 to {MAX_NAME} characters without NUL"
            )
    return dict(extra)
