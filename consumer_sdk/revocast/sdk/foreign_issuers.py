"""Foreign issuers as the key set would list them: the keys of their JWK Sets, under the deployment's own terms.

* The signed key set wins: an issuer that it lists has no other keys.
* Lifetimes are those of the deployment's own issuer: what is written to the log about a foreign token counts on them.
* A kid that the signed key set once named revoked for this issuer stays revoked, whatever the JWK Set says.
"""

from collections.abc import Mapping

from revocast.schemas.jose import PublicKey
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeyState
from revocast.schemas.trust import Trust

__all__ = ["foreign_issuers"]


def foreign_issuers(keys: Mapping[str, Mapping[str, PublicKey]], trust: Trust) -> tuple[IssuerKeys, ...]:
    """`keys` by issuer and kid."""
    own = trust.key_set.of(trust.issuer) if trust.key_set else None
    if trust.key_set is None or own is None:
        return ()
    return tuple(
        IssuerKeys(
            issuer=issuer,
            lifetimes=own.lifetimes,
            keys=tuple(
                KeyEntry(
                    jwk=dict(key.jwk),
                    state=KeyState.REVOKED if trust.was_revoked(issuer, kid) else KeyState.ACTIVE,
                )
                for kid, key in of_issuer.items()
            ),
        )
        for issuer, of_issuer in keys.items()
        if trust.key_set.of(issuer) is None
    )
