"""A revoked token comes back: against the memory of verified tokens, and in another spelling of its signature."""

import sys
import threading
from collections.abc import Callable
from typing import get_args

import pytest

from revocast.schemas.jose import b64u, unb64u
from revocast.sdk.denylist import DenyList, Named, Refusal
from revocast.sdk.errors import SignatureInvalid, TokenRevoked
from revocast.sdk.signatures import Signatures
from revocast.testing import Authority, Delivery, core_for
from tests.attacks.service import Serve, Service, serve, service

__all__ = ["serve", "service"]


@pytest.fixture(params=get_args(Signatures))
def signatures(request: pytest.FixtureRequest) -> Signatures:
    """All of this against every backend."""
    name: Signatures = request.param
    return name


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

# --- T16


def test_t16_a_remembered_token_is_refused_as_soon_as_its_revocation_is_applied(service: Service) -> None:
    authority = service.authority
    revocations: list[Callable[[str], object]] = [
        authority.revoke,
        lambda _: authority.block(authority.subject("alice")),
        lambda _: authority.cutoff(authority.client("app")),
    ]
    for revoke in revocations:
        authority.advance(1)
        token = authority.mint(sub="alice")
        service.accepts(token)
        service.accepts(token)
        revoke(token)
        service.refuses(token, TokenRevoked)
        service.refuses(token, TokenRevoked)
        authority.lift(authority.subject("alice"))


@pytest.mark.parametrize("remembered", [False, True])
def test_t16_a_revocation_that_comes_during_a_look_up_is_seen_by_the_next(
    service: Service, monkeypatch: pytest.MonkeyPatch, remembered: bool
) -> None:
    """Exactly between the look-up and what is remembered of it, in another thread."""
    authority = service.authority
    token = authority.mint(sub="alice")
    if remembered:
        service.accepts(token)
        authority.block(authority.subject("bob"))  # so that it is looked up again
    genuine = DenyList.refusal
    looked_up: list[Refusal | None] = []

    def interrupted(denylist: DenyList, named: Named) -> Refusal | None:
        answer = genuine(denylist, named)
        if not looked_up:
            looked_up.append(answer)
            other = threading.Thread(target=authority.block, args=(authority.subject("alice"),))
            other.start()
            other.join()
        return answer

    monkeypatch.setattr(DenyList, "refusal", interrupted)
    service.accepts(token)  # it was asked about before
    assert looked_up == [None]
    service.refuses(token, TokenRevoked)


def test_t16_no_thread_accepts_it_once_the_revocation_is_applied(service: Service) -> None:
    """Neither from the memory, nor by a look-up that was under way when the revocation came."""
    authority, guard = service.authority, service.guard
    count = 200
    tokens = [authority.mint(sub=f"user-{n}") for n in range(count)]
    applied, wrong, refusals = -1, [], [0]
    done = threading.Event()

    def hammer() -> None:
        while not done.is_set():
            for n, token in enumerate(tokens):
                revoked = n <= applied  # read before the token is judged
                try:
                    guard.verify(token)
                except TokenRevoked:
                    refusals[0] += 1
                    continue
                if revoked:
                    wrong.append(n)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=hammer) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        for n in range(count):
            authority.block(authority.subject(f"user-{n}"))  # the guard has applied it when this returns
            applied = n
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert refusals[0] > 0
    assert wrong == []


# --- T17


def test_t17_the_other_signature_of_the_same_text_is_another_token_and_is_revoked_with_it(
    serve: Serve,
) -> None:
    """ECDSA: (r, n-s) is as good as (r, s)."""
    service = serve(Authority(alg="ES256"))
    token = service.authority.mint()
    other = twin(token)
    first, second = service.accepts(token), service.accepts(other)
    assert first is not second
    assert service.accepts(token) is first
    service.authority.revoke(other)
    for each in (token, other, token):
        service.refuses(each, TokenRevoked)


def test_t17_without_a_jti_both_are_named_by_what_was_signed(serve: Serve) -> None:
    authority = Authority(alg="ES256")
    delivery = Delivery(authority, core_for(authority, required=frozenset()))
    delivery.deliver()
    token, bystander = authority.mint(jti=None), authority.mint(jti=None, sub="bob")
    for each in (token, twin(token)):
        assert delivery.core.verify(each, delivery.now)
    authority.revoke(twin(token))
    delivery.deliver()
    for each in (token, twin(token)):
        with pytest.raises(TokenRevoked):
            delivery.core.verify(each, delivery.now)
    assert delivery.core.verify(bystander, delivery.now)


@pytest.mark.parametrize("alg", ["EdDSA", "RS256"])
def test_t17_other_signatures_have_one_form_only(serve: Serve, alg: str) -> None:
    service = serve(Authority(alg=alg))
    head, _, text = service.authority.mint().rpartition(".")
    signature = unb64u(text)
    if alg == "EdDSA":  # s + L (RFC 8032 §5.1.7)
        s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
        forms = [signature[:32] + s.to_bytes(32, "little"), signature + b"\0"]
    else:  # s + n, and another length (RFC 8017 §8.2.2)
        n = service.authority.active.public._key.public_numbers().n
        forms = [(int.from_bytes(signature) + n).to_bytes(257), b"\0" + signature, signature + b"\0"]
    for form in forms:
        service.refuses(f"{head}.{b64u(form)}", SignatureInvalid)


def twin(token: str) -> str:
    """The same signing input under the other signature that ECDSA allows."""
    head, _, text = token.rpartition(".")
    signature = unb64u(text)
    s = P256_ORDER - int.from_bytes(signature[32:])
    return f"{head}.{b64u(signature[:32] + s.to_bytes(32))}"
