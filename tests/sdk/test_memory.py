import json
import os
import stat
from pathlib import Path

import pytest

from revocast.sdk.memory import Memory, Remembered
from revocast.sdk.readiness import Floor


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state" / "guard.json")


SEEN = Remembered(("first", "second"), Floor(3, (3, 9)))


def test_what_was_saved_is_loaded(memory: Memory) -> None:
    assert memory.load() is None
    memory.save(SEEN)
    assert memory.load() == SEEN


def test_the_file_is_its_owners_alone_and_the_only_one(memory: Memory) -> None:
    memory.save(SEEN)
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600
    assert list(memory.path.parent.iterdir()) == [memory.path]


def test_what_others_may_write_is_not_believed_and_a_pipe_not_waited_for(memory: Memory) -> None:
    memory.save(SEEN)
    memory.path.chmod(0o602)
    assert memory.load() is None
    memory.path.unlink()
    os.mkfifo(memory.path)
    assert memory.load() is None


def test_another_worker_cannot_put_it_back(memory: Memory) -> None:
    memory.save(SEEN)
    memory.save(Remembered(("first", "second"), Floor(3, (3, 8))))
    memory.save(Remembered(("first",), Floor(2, (2, 5))))
    memory.save(Remembered(("second",), Floor()))
    assert memory.load() == SEEN
    memory.save(Remembered(("first", "second"), Floor(4, (3, 9))))
    assert memory.load() == Remembered(("first", "second"), Floor(4, (3, 9)))


def test_another_deployment_begins_anew(memory: Memory) -> None:
    memory.save(SEEN)
    other = Remembered(("elsewhere",), Floor(1, (1, 1)))
    memory.save(other)
    assert memory.load() == other


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 200_000,
        '{"roots": []}',
        '{"roots": ["a"], "delegations": "x"}',
        '{"roots": ["a"], "delegations": Infinity, "key_set": [1, 1]}',
    ],
)
def test_a_damaged_file_is_nothing(memory: Memory, content: str) -> None:
    memory.path.parent.mkdir()
    memory.path.write_text(content)
    assert memory.load() is None


def test_no_roots_are_nothing(memory: Memory) -> None:
    memory.path.parent.mkdir()
    memory.path.write_text(json.dumps({"roots": [], "delegations": 1, "key_set": [1, 1]}))
    assert memory.load() is None


def test_a_failed_save_leaves_no_rubbish(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.save(SEEN)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        memory.save(Remembered(("first", "second"), Floor(9, (9, 9))))
    assert list(memory.path.parent.iterdir()) == [memory.path]
    assert memory.load() == SEEN
