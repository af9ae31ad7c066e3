"""Tokens that a decoder must refuse which was told one algorithm, an issuer and an audience: RFC 7515, 7518, 7519, 8725, 8259.

Each is signed by the right key wherever that is possible, so that nothing but its own fault can refuse it. What depends on a
profile (`typ`, a lifetime, a claim that is missing) is not among them. `ambiguous` are tokens that the RFCs let a decoder take,
and that two decoders may read in two ways, or under two names.
"""

import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from revocast.schemas.jose import PrivateKey, b64u, canonical_json, unb64u
from revocast.testing import Authority
from revocast.testing.tokens import claims_of, sign_token

__all__ = ["ambiguous", "known_bad"]

_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def known_bad(authority: Authority) -> Iterator[tuple[str, str]]:
    """What is wrong with it, and the token. Its key is the authority's active one."""
    yield from _algorithms(authority)
    yield from _signatures(authority)
    yield from _headers(authority)
    yield from _spellings(authority)
    yield from _claims(authority)


def ambiguous(authority: Authority) -> Iterator[tuple[str, str]]:
    """What is unclear about it, and the token."""
    key, claims = authority.active, claims_of(authority.mint())
    usual = f'"alg":"{key.alg}","kid":"{key.kid}","typ":"at+jwt"'
    for name, first in {"alg": '"none"', "kid": '"a"'}.items():
        yield f"{name} twice in the header", sign_token(claims, key, f'{{"{name}":{first},{usual}}}'.encode())
    text = json.dumps(claims)[1:].encode()
    yield "sub twice", sign_token(b'{"sub":"admin",' + text, key)
    yield "exp twice, the first one past", sign_token(b'{"exp":1,' + text, key)
    head, _, tail = authority.mint().rpartition(".")
    spare = {0: 0, 2: 4, 3: 2}[len(tail) % 4]
    if spare:
        last = _ALPHABET[_ALPHABET.index(tail[-1]) | 1]
        yield "a bit set that base64url leaves over", f"{head}.{tail[:-1]}{last}"
    if key.alg == "ES256":
        raw = unb64u(tail)
        other = (_P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
        yield "the other signature (r, -s)", f"{head}.{b64u(raw[:32] + other)}"


def _algorithms(authority: Authority) -> Iterator[tuple[str, str]]:
    key = authority.active
    public: Any = key._key.public_key()
    for alg in ("none", "None", "nOnE", ""):
        yield f"alg: {alg!r}, no signature", _signed(authority, {"alg": alg}, lambda _: b"")
        yield f"alg: {alg!r}, the right signature", _signed(authority, {"alg": alg}, key.sign)
    spki, encoding = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding
    secrets = {
        "PEM": public.public_bytes(encoding.PEM, spki),
        "DER": public.public_bytes(encoding.DER, spki),
        "JWK": canonical_json(dict(key.public.jwk)),
    }
    for form, secret in secrets.items():
        mac = _hmac(secret)
        yield f"HS256 with the public key's {form} as secret", _signed(authority, {"alg": "HS256"}, mac)
        yield f"{key.alg}, but HS256 with the public key's {form}", _signed(authority, {}, mac)
    if key.alg == "RS256":
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        sign: Any = key._key.sign
        for alg in ("PS256", "RS256"):
            made = _signed(authority, {"alg": alg}, lambda text: bytes(sign(text, pss, hashes.SHA256())))
            yield f"{alg}, signed as PS256", made
        yield (
            "RS512",
            _signed(
                authority,
                {"alg": "RS512"},
                lambda text: bytes(sign(text, padding.PKCS1v15(), hashes.SHA512())),
            ),
        )


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.digest(secret, text, "sha256")


def _signatures(authority: Authority) -> Iterator[tuple[str, str]]:
    head, _, text = authority.mint().rpartition(".")
    genuine = unb64u(text)
    stranger = PrivateKey.generate(authority.active.alg, kid=authority.active.kid)
    yield "signed by another key", authority.mint(key=stranger)
    yield "another token's signature", f"{head}.{authority.mint(sub='b').rpartition('.')[2]}"
    forms = {
        "no signature": b"",
        "a signature of zeros": bytes(len(genuine)),
        "a signature and a zero": genuine + b"\0",
        "a signature cut short": genuine[:-1],
    }
    if authority.active.alg == "ES256":
        r, s = int.from_bytes(genuine[:32]), int.from_bytes(genuine[32:])
        forms["a DER signature"] = encode_dss_signature(r, s)
        forms["r and s of 33 bytes"] = b"\0" + genuine[:32] + b"\0" + genuine[32:]
    for name, form in forms.items():
        yield name, f"{head}.{b64u(form)}"
    claims = claims_of(authority.mint())
    brought = {"jwk": dict(stranger.public.jwk)}
    yield "signed by a key that the header brings", sign_token(claims, stranger, brought)


def _headers(authority: Authority) -> Iterator[tuple[str, str]]:
    key, claims = authority.active, claims_of(authority.mint())
    for crit in (["made-up"], ["exp"], [], "exp", None):
        extra: dict[str, Any] = {"made-up": 1, "crit": crit}
        header = canonical_json({"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **extra})
        yield f"crit: {json.dumps(crit)}", sign_token(claims, key, header)
    usual = f'"alg":"{key.alg}","kid":"{key.kid}","typ":"at+jwt"'
    for name, text in {
        "a header that is an array": f"[{{{usual}}}]",
        "a header with a trailing comma": f"{{{usual},}}",
        "a header in single quotes": f"{{{usual}}}".replace('"', "'"),
    }.items():
        yield name, sign_token(claims, key, text.encode())
    unencoded = b64u(canonical_json({"alg": key.alg, "kid": key.kid, "b64": False, "crit": ["b64"]}))
    text = json.dumps(claims)
    yield (
        "an unencoded payload (RFC 7797)",
        f"{unencoded}.{text}.{b64u(key.sign(f'{unencoded}.{text}'.encode()))}",
    )


def _spellings(authority: Authority) -> Iterator[tuple[str, str]]:
    token = authority.mint()
    head, _, tail = token.rpartition(".")
    yield from {
        "padding at the end": token + "=",
        "white space at the end": token + " ",
        "white space at the beginning": " " + token,
        "a line feed at the end": token + "\n",
        "an empty fourth segment": token + ".",
        "a fourth segment": token + ".AA",
        "five segments": token + ".AA.AA",
        "two segments": head,
        "white space inside the signature": f"{head}.{tail[:8]} {tail[8:]}",
        "a character outside the alphabet in the signature": f"{head}.{tail[:8]}!{tail[8:]}",
    }.items()
    if "-" in tail or "_" in tail:
        yield "base64 instead of base64url", f"{head}.{tail.replace('-', '+').replace('_', '/')}"
    protected, payload, signature = token.split(".")
    flattened = {"payload": payload, "protected": protected, "signature": signature}
    yield "JSON serialization", json.dumps(flattened)


def _claims(authority: Authority) -> Iterator[tuple[str, str]]:
    key, now = authority.active, authority.now
    yield "expired", authority.mint(iat=now - 600, exp=now - 300)
    yield "not valid yet", authority.mint(nbf=now + 600)
    for name, value in {
        "a string": str(now + 300),
        "an array": [now + 300],
        "true": True,
        "an object": {},
    }.items():
        yield f"exp is {name}", authority.mint(exp=value)
        if value is not True:
            yield f"nbf is {name}", authority.mint(nbf=value)
    yield "another audience", authority.mint(aud="billing")
    yield "an audience that begins like ours", authority.mint(aud=authority.audience + "-2")
    yield "no audience", authority.mint(aud=None)
    yield "an empty list of audiences", authority.mint(aud=[])
    yield "an audience that is an object", authority.mint(aud={authority.audience: 1})
    yield "another issuer", authority.mint(iss="https://evil.test")
    yield "an issuer that begins like ours", authority.mint(iss=authority.issuer + ".evil.test")
    yield "no issuer", authority.mint(iss=None)
    yield "a list of issuers", authority.mint(iss=[authority.issuer])
    good = json.dumps(claims_of(authority.mint()))[:-1].encode()
    for name, more in {
        "exp is NaN": b',"exp":NaN}',
        "exp is Infinity": b',"exp":Infinity}',
        "a claim that is NaN": b',"x":NaN}',
        "invalid UTF-8": b',"x":"\xff"}',
        "a trailing comma": b",}",
        "something behind the object": b"}{}",
    }.items():
        text = good + more
        if more.startswith(b',"exp"'):
            members = {name: value for name, value in claims_of(authority.mint()).items() if name != "exp"}
            text = json.dumps(members)[:-1].encode() + more
        yield name, sign_token(text, key)
    yield "claims that are an array", sign_token(b"[]", key)
    yield "claims of 5,000 levels", sign_token(good + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", key)


def _signed(authority: Authority, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    usual = {"alg": authority.active.alg, "kid": authority.active.kid, "typ": "at+jwt"}
    head = f"{b64u(json.dumps({**usual, **header}).encode())}.{authority.mint().split('.')[1]}"
    return f"{head}.{b64u(sign(head.encode()))}"
