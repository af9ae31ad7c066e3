"""The local copy is as it was written, or as if it were not there."""

import errno
import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest

from revocast.schemas.record import Position
from revocast.schemas.row import FLAGS_AT, NEVER, ROW_SIZE, SLOT, Row
from revocast.sdk import local_copy
from revocast.sdk.base_lock import BaseLock
from revocast.sdk.local_copy import Copy, Draft, LocalCopy, Place, Unusable
from revocast.sdk.packed import PackedBase

ISSUER = "https://issuer.example"
PLACE = Place(ISSUER, "r" * 43, Position(3, 17, bytes(range(32)), 1_800_000_000), 41)
ROWS = sorted(
    Row.for_block(hashlib.sha256(b"%d" % number).digest()[:11], 1, NEVER).pack() for number in range(500)
)


def written(copy: LocalCopy, rows: list[bytes] = ROWS, place: Place = PLACE) -> Draft:
    draft = Draft(copy)
    packed = b"".join(rows)
    draft.write(0, packed)
    draft.finish(len(rows), bytes(PackedBase.build(packed).index_bytes))
    assert draft.publish(place) is not None
    draft.close()
    return draft


@pytest.fixture
def copy(tmp_path: Path) -> LocalCopy:
    return LocalCopy(tmp_path / "state" / "guard.base")


def load(copy: LocalCopy) -> Copy:
    return copy.load(ISSUER)


def test_what_was_written_is_found_again_with_its_place(copy: LocalCopy) -> None:
    written(copy)
    found = load(copy)
    assert found.place == PLACE
    assert found.base.rows[:] == b"".join(ROWS)
    assert found.base.find(ROWS[7][:11]) == ROWS[7]
    assert found.identity == copy.identity()
    assert copy.path.stat().st_mode & 0o777 == 0o600


def test_a_table_without_rows_has_a_place_too(copy: LocalCopy) -> None:
    written(copy, [])
    assert load(copy).place == PLACE
    assert len(load(copy).base) == 0


def test_any_byte_that_changed_makes_it_unusable(copy: LocalCopy) -> None:
    written(copy)
    good = copy.path.read_bytes()
    header = range(300)
    elsewhere = range(300, len(good), 997)
    for at in (*header, *elsewhere, 65532, 65535, 65536, len(good) - 1):
        copy.path.write_bytes(good[:at] + bytes((good[at] ^ 0x10,)) + good[at + 1 :])
        with pytest.raises(Unusable):
            load(copy)
    copy.path.write_bytes(good)
    assert load(copy).place == PLACE


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65536 + ROW_SIZE, -1])
def test_a_file_that_is_cut_off_is_unusable(copy: LocalCopy, size: int) -> None:
    written(copy)
    copy.path.write_bytes(copy.path.read_bytes()[:size])
    with pytest.raises(Unusable):
        load(copy)


def test_a_file_that_goes_on_is_unusable(copy: LocalCopy) -> None:
    written(copy)
    with copy.path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Unusable):
        load(copy)


def test_another_issuers_is_unusable_and_so_is_none(copy: LocalCopy) -> None:
    with pytest.raises(Unusable, match="none"):
        load(copy)
    written(copy)
    with pytest.raises(Unusable, match="issuer"):
        copy.load("https://another.example")


def test_a_row_of_a_kind_that_only_a_later_release_knows_makes_it_unusable(copy: LocalCopy) -> None:
    later = bytearray(ROWS[0])
    later[FLAGS_AT] = SLOT | 9
    written(copy, [bytes(later), *ROWS[1:]])
    with pytest.raises(Unusable, match="kind"):
        load(copy)


def test_a_file_of_another_user_or_that_others_may_write_is_unusable(
    copy: LocalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(copy)
    mine = os.geteuid()
    with monkeypatch.context() as another:
        if mine:
            another.setattr(os, "geteuid", lambda: mine + 1)
        else:
            os.chown(copy.path, 4711, -1)  # what root wrote anybody may believe
        with pytest.raises(Unusable, match="another user"):
            load(copy)
    os.chown(copy.path, mine, -1)
    copy.path.chmod(0o602)
    with pytest.raises(Unusable, match="others may write"):
        load(copy)


def test_a_pipe_in_its_place_is_not_waited_for(copy: LocalCopy) -> None:
    copy.path.parent.mkdir()
    os.mkfifo(copy.path)
    with pytest.raises(Unusable, match="no file"):
        load(copy)


def test_what_another_version_wrote_is_unusable(copy: LocalCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(local_copy, "_VERSION", 2)
        written(copy)
        load(copy)
    with pytest.raises(Unusable, match="another version"):
        load(copy)


def test_a_base_in_use_stays_when_another_takes_its_place(copy: LocalCopy) -> None:
    written(copy)
    found = load(copy)
    written(copy, ROWS[:3])
    assert found.base.rows[:] == b"".join(ROWS)
    assert load(copy).base.rows[:] == b"".join(ROWS[:3])
    assert copy.identity() != found.identity


def test_a_draft_that_is_not_published_leaves_nothing(copy: LocalCopy) -> None:
    draft = Draft(copy)
    draft.write(0, ROWS[0])
    draft.close()
    assert list(copy.path.parent.iterdir()) == []


def test_what_a_killed_writer_left_is_swept(copy: LocalCopy) -> None:
    written(copy)
    Draft(copy)
    assert len(list(copy.path.parent.iterdir())) == 2
    copy.sweep()
    assert list(copy.path.parent.iterdir()) == [copy.path]


def test_where_the_folder_cannot_be_written_the_rows_lie_in_memory(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no folder")
    draft = Draft(LocalCopy(tmp_path / "state" / "guard.base"))
    assert "cannot be written" in draft.problem
    draft.write(0, b"".join(ROWS))
    base = draft.finish(len(ROWS), bytes(PackedBase.build(b"".join(ROWS)).index_bytes))
    assert draft.publish(PLACE) is None
    draft.close()
    assert base.find(ROWS[9][:11]) == ROWS[9]


class Full(FileIO):
    """A file on a full disk."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_when_the_disk_fills_up_the_rows_go_on_in_memory(
    copy: LocalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = Draft(copy)
    draft.write(0, b"".join(ROWS[:100]))
    monkeypatch.setattr(draft, "_file", Full(os.dup(draft._file.fileno()), "r+b"))
    draft.write(100, b"".join(ROWS[100:]))
    base = draft.finish(len(ROWS), bytes(PackedBase.build(b"".join(ROWS)).index_bytes))
    assert "No space" in draft.problem
    assert draft.publish(PLACE) is None
    assert base.rows[:] == b"".join(ROWS)
    draft.close()
    assert list(copy.path.parent.iterdir()) == []


def test_when_the_disk_fills_up_at_the_header_the_base_stays_and_no_copy_is_left(
    copy: LocalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = Draft(copy)
    draft.write(0, b"".join(ROWS))
    base = draft.finish(len(ROWS), bytes(PackedBase.build(b"".join(ROWS)).index_bytes))
    monkeypatch.setattr(draft, "_file", Full(os.dup(draft._file.fileno()), "r+b"))
    assert draft.publish(PLACE) is None
    assert "No space" in draft.problem
    draft.close()
    assert base.rows[:] == b"".join(ROWS)
    assert list(copy.path.parent.iterdir()) == []


def test_one_has_the_lock_and_the_next_when_that_one_lets_go(tmp_path: Path) -> None:
    one, other = BaseLock(tmp_path / "lock"), BaseLock(tmp_path / "lock")
    assert one.try_acquire()
    assert one.try_acquire()
    assert not other.try_acquire()
    assert other.contended
    one.release()
    assert other.try_acquire()
    assert not other.contended


@pytest.mark.skipif(os.name == "nt", reason="no flock")
def test_after_a_fork_the_child_has_no_share_in_the_lock_when_the_parent_ends(tmp_path: Path) -> None:
    inherited, other = BaseLock(tmp_path / "lock"), BaseLock(tmp_path / "lock")
    assert inherited.try_acquire()
    assert inherited._handle is not None
    parents = os.dup(inherited._handle)
    inherited.after_fork()
    assert not other.try_acquire(), "the parent holds it"
    os.close(parents)
    assert other.try_acquire()


def test_where_no_lock_can_be_made_nobody_has_it_and_nobody_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no folder")
    lock = BaseLock(tmp_path / "state" / "lock")
    assert not lock.try_acquire()
    assert not lock.contended
