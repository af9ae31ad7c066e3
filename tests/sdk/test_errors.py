import pytest

from revocast.sdk import errors
from revocast.sdk.errors import (
    ClaimInvalid,
    GuardStale,
    InsufficientScope,
    RequestMalformed,
    RevocastError,
    SignatureInvalid,
    TokenMissing,
    TokenRevoked,
)


def every_error() -> list[type[RevocastError]]:
    found = [RevocastError]
    for kind in found:
        found += kind.__subclasses__()
    return found


def test_codes_are_stable_and_of_one_class_each() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))
    assert {kind.__name__ for kind in every_error()} == set(errors.__all__)


def test_a_refusal_carries_the_challenge_of_rfc_6750() -> None:
    error = SignatureInvalid("The signature does not verify.")
    assert error.status == 401
    assert error.headers() == {
        "WWW-Authenticate": 'Bearer error="invalid_token", error_description="The signature does not verify."'
    }


def test_a_request_without_a_token_gets_no_error_code() -> None:
    assert TokenMissing().headers() == {"WWW-Authenticate": "Bearer"}


def test_a_malformed_request_is_a_400() -> None:
    assert RequestMalformed("Two.").status == 400
    assert 'error="invalid_request"' in RequestMalformed("Two.").www_authenticate


def test_a_missing_scope_is_a_403_that_names_it() -> None:
    error = InsufficientScope(["orders:write"])
    assert error.status == 403
    assert error.www_authenticate.endswith('scope="orders:write"')
    assert 'error="insufficient_scope"' in error.www_authenticate


def test_an_unavailable_guard_is_a_503_that_tells_its_reason_to_its_own_people_only() -> None:
    error = GuardStale("not in touch with Kafka for 61 s")
    assert error.status == 503
    assert error.headers() == {"Retry-After": "2"}
    assert "61 s" in str(error)
    assert "61 s" not in error.description


@pytest.mark.parametrize("text", ['quote"', "back\\slash", "line\r\nSet-Cookie: x", "ü", "\x7f"])
def test_no_text_breaks_out_of_the_header(text: str) -> None:
    header = ClaimInvalid("aud", text).www_authenticate
    assert header.count('"') == 4
    assert header.isascii()
    assert header.isprintable()
    assert "\\" not in header


def test_a_revocation_tells_the_caller_not_which_name_was_revoked() -> None:
    error = TokenRevoked("subject", "block")
    assert (error.kind, error.slot) == ("subject", "block")
    assert "subject" not in str(error)
