"""The pure rules: key lifecycle, expiry, and what a log record changes."""

import itertools

import pytest

from revocast.issuer.authority.deny_state import may_mint, refusing, selectors_of
from revocast.issuer.authority.expiry import lifetime_until
from revocast.issuer.authority.lifecycle import (
    TRANSITIONS,
    KeyState,
    Step,
    TokenKey,
    due,
    is_listed,
    state_after,
)
from revocast.issuer.authority.log import changes
from revocast.issuer.errors import Conflict
from revocast.schemas.keyset import Lifetime
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.table import Table

FINGERPRINT = bytes(11)
LAST_TOKEN = 3630


def key(kid: str, state: KeyState, created_at: int = 0, **times: int) -> TokenKey:
    return TokenKey(kid, "ES256", {}, state, created_at, announce_seconds=60, **times)


def test_only_the_transitions_of_the_table_exist() -> None:
    for state, step in itertools.product(KeyState, Step):
        if (state, step) in TRANSITIONS:
            assert state_after(state, step) is TRANSITIONS[state, step]
        else:
            with pytest.raises(Conflict):
                state_after(state, step)


def test_every_state_but_revoked_can_be_revoked() -> None:
    assert {state for state, step in TRANSITIONS if step is Step.REVOKE} == set(KeyState) - {KeyState.REVOKED}


def test_a_key_signs_when_it_was_announced_for_the_set_time_and_its_predecessor_retires_then() -> None:
    keys = [key("old", KeyState.ACTIVE), key("new", KeyState.ANNOUNCED, 5, announced_at=100)]
    assert due(keys, 159, LAST_TOKEN) == []
    assert due(keys, 160, LAST_TOKEN) == [("old", Step.SUPERSEDE), ("new", Step.ACTIVATE)]


def test_a_key_that_kafka_has_not_acknowledged_is_not_announced() -> None:
    assert due([key("new", KeyState.ANNOUNCED)], NEVER, LAST_TOKEN) == []


def test_two_ready_keys_take_turns() -> None:
    ready = [key(kid, KeyState.ANNOUNCED, number, announced_at=0) for number, kid in enumerate("ab")]
    assert due(ready, 1000, LAST_TOKEN) == [("a", Step.ACTIVATE)]


def test_a_retiring_key_verifies_until_its_last_token_has_expired() -> None:
    retiring = [key("old", KeyState.RETIRING, retiring_at=1000)]
    assert due(retiring, 1000 + LAST_TOKEN - 1, LAST_TOKEN) == []
    assert due(retiring, 1000 + LAST_TOKEN, LAST_TOKEN) == [("old", Step.LAPSE)]


def test_a_revoked_key_stays_listed_until_its_last_token_would_have_expired() -> None:
    revoked = key("bad", KeyState.REVOKED, revoked_at=1000)
    assert is_listed(revoked, 1000 + LAST_TOKEN - 1, LAST_TOKEN)
    assert not is_listed(revoked, 1000 + LAST_TOKEN, LAST_TOKEN)
    assert not is_listed(key("gone", KeyState.RETIRED), 0, LAST_TOKEN)


def test_the_longest_lifetime_of_tokens_issued_until_then_counts() -> None:
    lifetimes = [Lifetime(since=0, max_lifetime=7200), Lifetime(since=1000, max_lifetime=300)]
    assert lifetime_until(lifetimes, 999) == 7200
    assert lifetime_until(lifetimes, 5000) == 7200
    later = [Lifetime(since=500, max_lifetime=60)]
    assert lifetime_until(later, 100) == 60


def test_what_changes_is_what_a_reader_applies() -> None:
    cutoff = Row.for_cutoff(FINGERPRINT, 4, 50, 200)
    block = Row.for_block(FINGERPRINT, 4, NEVER)
    lift = Row.for_lift(FINGERPRINT, 4, Slot.BLOCK)
    held = {cutoff.key: cutoff}
    for rows in itertools.permutations((cutoff, block, lift)):
        table = Table()
        table.apply([cutoff], 100)
        table.apply(rows, 100)
        changed = changes(held, rows, 100)
        assert (changed.get(block.key) is not None) == (table.get(FINGERPRINT, 4, Slot.BLOCK) is not None)
    assert changes(held, [cutoff], 100) == {}
    assert changes(held, [cutoff], 200) == {}, "what is dead on arrival changes nothing"
    dead = Row.for_lift(FINGERPRINT, 4, Slot.CUTOFF)
    assert changes(held, [dead], 200) == {cutoff.key: None}, (
        "no record has dropped it yet: readers still hold it"
    )


def test_a_cutoff_refuses_its_own_second_and_minting_waits_it_out() -> None:
    cutoff = Row.for_cutoff(FINGERPRINT, 4, 100, 200)
    assert refusing([cutoff], 100.9) == (cutoff,) and refusing([cutoff], 101) == ()
    assert may_mint([cutoff], 100).wait_until == 101
    assert may_mint([cutoff], 101).wait_until is None
    block = Row.for_block(FINGERPRINT, 4, NEVER)
    assert may_mint([cutoff, block], 300).blocked_by == block


def test_a_token_has_a_selector_for_all_that_it_names() -> None:
    claims = {
        "iss": "i",
        "sub": "s",
        "client_id": "c",
        "sid": "x",
        "tenant": "t",
        "jti": "j",
        "grant_id": "g",
    }
    kinds = [selector.kind for selector in selectors_of(claims, "kid", ["tenant", "device_id"])]
    assert sorted(kinds) == sorted(
        ["key", "issuer", "token", "session", "grant", "subject", "client", "subject+client", "claim:tenant"]
    )
    without = {name: value for name, value in claims.items() if name != "jti"}
    assert "token_hash" in [selector.kind for selector in selectors_of(without, "kid", (), b"input")]
