"""Reading our own tokens: whether one is ours, what it names, and what every current service would answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.answers import Explanation, Finding
from revocast.issuer.authority.deny_state import refusing, selectors_of
from revocast.issuer.authority.expiry import lifetime_until, token_expires_at
from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.errors import TokenRejected
from revocast.issuer.minting import TOKEN_TYP
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import as_row, rows_of
from revocast.issuer.storage.signing_keys import token_keys
from revocast.schemas.errors import JoseError
from revocast.schemas.jose import PublicKey, parse_compact, parse_json, same_algorithm
from revocast.schemas.keyset import VERIFYING
from revocast.schemas.naming import NAMING_CLAIMS, can_name
from revocast.schemas.row import Slot

__all__ = ["TokenReader"]

_MAX_TOKEN_BYTES: Final = 16 * 1024
_MAX_SECONDS: Final = 2**53


@dataclass(frozen=True, slots=True)
class _OurToken:
    claims: Mapping[str, Any]
    kid: str
    key_state: KeyState
    signing_input: bytes


class TokenReader:
    """Verifies tokens of this issuer against its own keys and its own table."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def verify(self, token: str, audience: str | None) -> Mapping[str, Any]:
        """See `Service.verify`."""
        explanation = self.explain(token)
        if explanation.answer == "refused" or explanation.claims is None:
            raise TokenRejected("the token is not accepted", explanation.reason)
        named = explanation.claims["aud"]
        if audience is not None and audience not in (named if isinstance(named, list) else [named]):
            raise TokenRejected("the token is for another audience", "wrong_audience")
        return explanation.claims

    def explain(self, token: str) -> Explanation:
        """See `Service.explain`."""
        with self._storage.read() as session:
            terms = load_terms(session)
            try:
                ours = _read(session, terms, token)
            except TokenRejected as error:
                return Explanation("refused", error.code, None)
            findings = _findings(session, terms, ours)
        reason = self._reason(terms, ours, findings)
        return Explanation("accepted" if reason == "ok" else "refused", reason, ours.claims, findings)

    def revocation_of(self, token: str) -> Revocation:
        """See `Service.revocation_of`."""
        with self._storage.read() as session:
            terms = load_terms(session)
            ours = _read(session, terms, token)
        selectors = selectors_of(ours.claims, ours.kid, terms.claims, ours.signing_input)
        selector = next(entry for entry in selectors if entry.kind in ("token", "token_hash"))
        exp = math.ceil(ours.claims["exp"])
        return Revocation(selector, Slot.BLOCK, expires_at=token_expires_at(exp, terms.leeway))

    def _reason(self, terms: Terms, ours: _OurToken, findings: tuple[Finding, ...]) -> str:
        claims, now = ours.claims, self._clock()
        if terms.distrusted:
            return "issuer_distrusted"
        if ours.key_state is KeyState.REVOKED:
            return "key_revoked"
        if ours.key_state not in VERIFYING:
            return "unknown_key"
        if claims["exp"] + terms.leeway <= now:
            return "token_expired"
        if claims["iat"] > now + terms.leeway:
            return "token_not_yet_valid"
        if claims["exp"] - claims["iat"] > lifetime_until(terms.lifetimes, int(claims["iat"])):
            return "lifetime_exceeded"
        if any(finding.refused_by for finding in findings):
            return "token_revoked"
        return "ok"


def _read(session: Session, terms: Terms, token: str) -> _OurToken:
    try:
        compact = parse_compact(token, _MAX_TOKEN_BYTES)
        kid = compact.header.get("kid")
        stored = next((key for key in token_keys(session) if key.kid == kid), None)
        if stored is None or compact.header.get("typ") not in (TOKEN_TYP, f"application/{TOKEN_TYP}"):
            raise TokenRejected("the token is not signed by a key of ours", "unknown_key")
        key = PublicKey.from_jwk(stored.jwk)
        if not same_algorithm(compact.header.get("alg"), key.alg) or not key.verify(
            compact.signing_input, compact.signature
        ):
            raise TokenRejected("the signature does not verify", "bad_signature")
        claims = parse_json(compact.payload)
    except JoseError:
        raise TokenRejected("the token is malformed", "malformed_token") from None
    if not isinstance(claims, dict) or claims.get("iss") != terms.issuer or "aud" not in claims:
        raise TokenRejected("the token is not one of ours", "malformed_token")
    for name in (*NAMING_CLAIMS, *terms.claims):
        if name in claims and not can_name(claims[name]):
            raise TokenRejected(f"{name}: must be a string that a revocation can name", "malformed_token")
    for name in ("iat", "exp"):
        value = claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_SECONDS:
            raise TokenRejected(f"{name}: must be a number of seconds", "malformed_token")
    return _OurToken(claims, stored.kid, KeyState(stored.state), compact.signing_input)


def _findings(session: Session, terms: Terms, ours: _OurToken) -> tuple[Finding, ...]:
    selectors = selectors_of(ours.claims, ours.kid, terms.claims, ours.signing_input)
    names = {selector: terms.name(selector) for selector in selectors}
    rows = [as_row(row) for row in rows_of(session, (fingerprint for fingerprint, _ in names.values()))]
    findings = []
    for selector, name in names.items():
        own = tuple(row for row in rows if (row.fingerprint, row.kind) == name)
        findings.append(Finding(selector, name[0], own, refusing(own, ours.claims["iat"])))
    return tuple(findings)
