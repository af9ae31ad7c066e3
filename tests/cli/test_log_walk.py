"""Any log, whole or broken, without a broker: the in-memory authority makes the real bytes."""

import pytest

from revocast.cli.log_walk import LogWalk
from revocast.schemas.verdict import Outcome
from revocast.testing import Authority


@pytest.fixture
def authority() -> Authority:
    authority = Authority()
    for name in ("alice", "bob", "carol"):
        authority.block(authority.subject(name))
    authority.checkpoint()
    return authority


def walked(authority: Authority, root: str | None = None) -> LogWalk:
    walk = LogWalk(authority.issuer, root or authority.pin)
    for message in authority.keys.messages:
        walk.receive_key(message.value, message.offset)
    walk.settle_keys()
    for message in authority.log.messages:
        list(walk.receive_record(message.value, message.offset))
    list(walk.finish())
    for message in authority.checkpoints.messages:
        walk.receive_checkpoint(message.value, authority.now, message.offset)
    if walk.begins:
        for message in authority.snapshots.messages:
            walk.receive_snapshot(message.value)
    return walk


def cut_off(authority: Authority) -> int:
    """Truncate the log behind a cut; its n."""
    cut = authority.position.n
    offset = next(each.offset for each in authority.log.messages if each.key == str(cut).encode())
    authority.block(authority.subject("dave"))
    authority.checkpoint()
    authority.log.truncate(offset)
    return cut


def test_a_whole_log_gives_the_table_of_the_issuer(authority: Authority) -> None:
    walk = walked(authority)
    assert walk.problem is None
    assert walk.table.pack() == authority.table.pack()
    assert walk.chain.position == authority.position
    assert sum(walk.signers.values()) == authority.position.n


def test_a_missing_record_is_named_with_where_it_breaks(authority: Authority) -> None:
    authority.log.drop(2)
    assert walked(authority).problem == (
        "breaks after record 2 of epoch 1: record 3 is missing and later ones are there"
    )


def test_a_log_that_ends_before_the_newest_checkpoint_is_not_whole(authority: Authority) -> None:
    authority.log.drop(-1)
    assert walked(authority).problem == (
        "ends after record 3 of epoch 1; the newest checkpoint knows record 4 of epoch 1"
    )


def test_a_forged_record_is_named_and_a_replay_is_counted_and_neither_breaks_anything(
    authority: Authority,
) -> None:
    forged = authority.log.append(b"5", b"not.a.token")
    authority.log.replay(0)
    walk = walked(authority)
    assert walk.problem is None
    assert [verdict.offset for _, verdict in walk.oddities] == [forged.offset]
    assert walk.counts[Outcome.REPLAY] >= 1


def test_a_second_history_is_a_fork(authority: Authority) -> None:
    _, other = authority.sign_next(cut=True)
    authority.block(authority.subject("dave"))
    authority.log.append(b"5", other)
    assert walked(authority).problem == "breaks after record 5 of epoch 1: fork"


def test_a_new_epoch_re_issues_the_live_set_and_is_walked_to_its_end(authority: Authority) -> None:
    authority.new_epoch()
    walk = walked(authority)
    assert walk.problem is None
    assert walk.table.pack() == authority.table.pack()


def test_without_a_list_under_the_pinned_root_nothing_is_believed(authority: Authority) -> None:
    assert walked(authority, root="x" * 43).problem == "there is no delegation list under this root"


def test_a_log_that_was_truncated_behind_a_countersigned_snapshot_is_whole_from_there_on(
    authority: Authority,
) -> None:
    authority.snapshot()
    cut = cut_off(authority)
    walk = walked(authority)
    assert walk.problem is None
    assert walk.begins == walk.snapshot == (1, cut)
    assert walk.chain.position == authority.position and not walk.table_known
    authority.new_epoch()
    walk = walked(authority)
    assert walk.table_known and walk.table.pack() == authority.table.pack()


def test_a_log_that_was_truncated_without_a_snapshot_of_what_was_before_is_not_whole(
    authority: Authority,
) -> None:
    authority.write_snapshot()
    cut = cut_off(authority)
    assert walked(authority).problem == (
        f"begins with record {cut} of epoch 1, and no countersigned snapshot holds what was before it"
    )


def test_a_log_that_begins_with_another_record_than_a_cuts_is_not_whole(authority: Authority) -> None:
    authority.snapshot()
    for _ in range(2):
        authority.log.drop(0)
    assert walked(authority).problem == (
        "breaks before its first record: record 1 is missing and later ones are there"
    )
