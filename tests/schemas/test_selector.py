import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.errors import ClaimUndeclared, SchemaError
from revocast.schemas.selector import (
    BUILT_IN_KINDS,
    Selector,
    fingerprint,
    fingerprints_of,
    kind_code,
    kind_name,
)

ISSUER = "https://issuer.example"
SALT = bytes(32)


def test_separators_inside_values_never_join_two_selectors() -> None:
    one = Selector.subject_client(ISSUER, "a|b", "c")
    other = Selector.subject_client(ISSUER, "a", "b|c")
    assert fingerprint(SALT, one) != fingerprint(SALT, other)


def test_normal_forms_of_the_same_letters_are_different_selectors() -> None:
    composed, decomposed = "Zo\u00eb", unicodedata.normalize("NFD", "Zo\u00eb")
    assert fingerprint(SALT, Selector.subject(ISSUER, composed)) != fingerprint(
        SALT, Selector.subject(ISSUER, decomposed)
    )


parts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(parts, parts, parts, parts)
def test_different_pairs_have_different_fingerprints(a: str, b: str, c: str, d: str) -> None:
    same = fingerprint(SALT, Selector.subject_client(ISSUER, a, b)) == fingerprint(
        SALT, Selector.subject_client(ISSUER, c, d)
    )
    assert same == ((a, b) == (c, d))


@given(st.lists(parts, max_size=5))
def test_fingerprints_of_many_are_those_of_each(values: list[str]) -> None:
    many = fingerprints_of(SALT, ISSUER, "session", [value.encode() for value in values])
    assert many == [fingerprint(SALT, Selector.session(ISSUER, value)) for value in values]


def test_kind_issuer_and_salt_are_part_of_the_fingerprint() -> None:
    base = fingerprint(SALT, Selector.subject(ISSUER, "x"))
    assert base != fingerprint(SALT, Selector.session(ISSUER, "x"))
    assert base != fingerprint(SALT, Selector.subject(ISSUER + "/", "x"))
    assert base != fingerprint(b"\x01" * 32, Selector.subject(ISSUER, "x"))


def test_a_declared_claim_never_collides_with_a_built_in_kind() -> None:
    assert fingerprint(SALT, Selector.claim(ISSUER, "subject", "x")) != fingerprint(
        SALT, Selector.subject(ISSUER, "x")
    )


@pytest.mark.parametrize("kind", [*BUILT_IN_KINDS, "claim:tenant", "claim:device_id"])
def test_a_kind_and_its_code_name_each_other(kind: str) -> None:
    claims = ("tenant", "device_id")
    assert kind_name(kind_code(kind, claims), claims) == kind


def test_an_undeclared_claim_is_named_in_the_error() -> None:
    with pytest.raises(ClaimUndeclared, match="tenant"):
        kind_code("claim:tenant", ())
    with pytest.raises(ClaimUndeclared):
        kind_name(32, ())


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("subject", ()),
        ("subject", ("",)),
        ("subject", ("a", "b")),
        ("subject+client", ("a",)),
        ("issuer", ("a",)),
        ("subject", ("\ud800",)),
        ("colour", ("red",)),
        ("claim:", ("x",)),
        ("claim:a b", ("x",)),
        ("claim:ténant", ("x",)),
    ],
)
def test_a_malformed_selector_is_refused(kind: str, values: tuple[str, ...]) -> None:
    with pytest.raises(SchemaError):
        Selector(ISSUER, kind, values)
