import copy
import json
from typing import Any

import pytest

from revocast.sdk.claims import Claims

MEMBERS = {"sub": "alice", "scope": "a b", "realm": {"roles": ["admin", {"of": ["x"]}]}, "n": 1}


@pytest.fixture
def claims() -> Claims:
    return Claims(MEMBERS)


def test_nothing_can_be_changed_however_deep(claims: Claims) -> None:
    with pytest.raises(TypeError):
        claims["sub"] = "mallory"  # type: ignore[index]
    with pytest.raises(AttributeError):
        claims.sub = "mallory"
    with pytest.raises(AttributeError):
        claims._members = {}
    with pytest.raises(AttributeError):
        del claims._members
    with pytest.raises(AttributeError):
        claims["realm"]["roles"].append("root")
    with pytest.raises(TypeError):
        claims["realm"]["roles"][1]["of"] = ()


def test_what_was_handed_in_can_change_without_changing_the_claims() -> None:
    members: dict[str, Any] = {"roles": ["user"], "realm": {"a": 1}}
    claims = Claims(members)
    members["roles"].append("admin")
    members["realm"] = {}
    assert claims.to_dict() == {"roles": ["user"], "realm": {"a": 1}}


def test_a_comparison_hands_nothing_out(claims: Claims) -> None:
    class Thief:
        loot: object = None

        def __eq__(self, other: object) -> bool:
            self.loot = other
            return True

        __hash__ = None  # type: ignore[assignment]

    thief = Thief()
    assert claims == thief
    assert not isinstance(thief.loot, dict)


def test_a_copy_is_the_callers_own(claims: Claims) -> None:
    mine = claims.to_dict()
    assert mine == MEMBERS
    mine["realm"]["roles"].append("root")
    assert claims.to_dict() == MEMBERS
    assert json.loads(json.dumps(mine))["realm"]["roles"][-1] == "root"


def test_it_is_a_mapping(claims: Claims) -> None:
    assert dict(claims)["sub"] == "alice"
    assert claims == Claims(MEMBERS)
    assert copy.deepcopy(claims) == claims
    assert claims.subject == "alice"
    assert claims.scopes == {"a", "b"}
    assert Claims({}).scopes == frozenset()


def test_its_repr_shows_no_value(claims: Claims) -> None:
    assert "alice" not in repr(claims)
