import pytest

from revocast.cli.inert import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alice", "alice"),
        ("Ünïcödé 名前", "Ünïcödé 名前"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202eecila", "\\u202eecila"),
        ("a\u200bb", "a\\u200bb"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_i11_what_is_not_plainly_visible_is_written_as_an_escape(text: str, shown: str) -> None:
    assert inert(text) == shown
