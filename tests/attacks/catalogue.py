"""The rows of the attack catalogue, by id, and which of them have no subject yet.

A test of a row is a function `test_<id>_…` in this folder. `NOT_YET` rows must have none, or the list would lie; `PARTLY`
rows have tests of what is there.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["NOT_YET", "PARTLY", "ROWS"]

ROWS: Final[Mapping[str, str]] = {
    # Against a token at a service
    "T01": "alg none, in any casing",
    "T02": "HS256 with the public key as secret",
    "T03": "header jwk, jku, x5u, x5c naming the attacker's key",
    "T04": "kid that is a path, SQL, a URL, huge, an array, a number, absent",
    "T05": "ES256 signatures that no key makes",
    "T06": "a key of another type, curve, use or operation",
    "T07": "crit and b64",
    "T08": "member names that stand twice",
    "T09": "base64url that is not canonical, other numbers of segments, JSON serialization",
    "T10": "times of a wrong type, out of range, missing, in the future",
    "T11": "another audience, issuer or type of token",
    "T12": "huge, deep, wide, and not UTF-8",
    "T13": "JWE",
    "T14": "claims that would have named a revocation are missing or no strings",
    "T15": "separators, look-alikes and normal forms in selectors",
    "T16": "a revoked token against the cache of verified tokens",
    "T17": "two spellings of one signature",
    "T18": "a life beyond the signed max_lifetime",
    "T19": "the caller changes the claims it was handed",
    # Against the stream
    "S01": "a record that no delegated key signed",
    "S02": "a forged key set or delegation list",
    "S03": "any older, validly signed record again",
    "S04": "an older delegation list or key set; root versions skipped",
    "S05": "freeze: the topic stops moving, the broker answers",
    "S06": "tombstones, a huge n, a gap that never fills",
    "S07": "the log lost records, or is another topic",
    "S08": "poison: junk, giants, null keys, headers that lie",
    "S09": "signed, of an unknown type or version",
    "S10": "a snapshot that is damaged, old, mixed or not countersigned",
    "S11": "millions of junk revocations from a compromised operator",
    "S12": "fleet reports that are flooded or faked",
    "S13": "a service's clock that is off, or steps back",
    "S14": "two records of the same n, both validly signed",
    "S15": "an event key that is stolen after it was retired, or in use",
    "S16": "a service's Kafka principal that is stolen",
    "S17": "signed by a key whose delegation has not arrived yet",
    # Against the issuer
    "I01": "revoking a token that is another client's, unknown, malformed or foreign",
    "I02": "token_type_hint wrong or unknown",
    "I03": "a refresh token used twice",
    "I04": "an authorization code used twice; PKCE and redirect URI variants",
    "I05": "a token minted in the second of a sign-out-everywhere",
    "I06": "Kafka down, then the issuer killed",
    "I07": "the database full, locked or read-only",
    "I08": "operator calls without a token, scope, or across sites",
    "I09": "scope escalation and audience widening",
    "I10": "timing and text of errors; enumeration",
    "I11": "injection through every text field",
    "I12": "bulk files: huge, broken, compressed",
    "I13": "a stolen refresh token after sign-out; exchange of a token that is revoked later",
}

NOT_YET: Final[Mapping[str, str]] = {
    "S12": "there are no fleet reports",
    "I03": "there is no refresh grant",
    "I04": "there is no authorization code grant",
}

PARTLY: Final[Mapping[str, str]] = {
    "I09": "at refresh and token exchange, and chains of act: there are no such grants",
    "I13": "refresh after sign-out and token exchange: there are no such grants",
}
