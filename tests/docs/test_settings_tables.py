"""`docs/reference/settings.md`."""

from revocast.dev.docs.settings_tables import settings_tables


def test_every_setting_says_what_it_is() -> None:
    rows = [line.split("|") for line in settings_tables().splitlines() if line.startswith("| `REVOCAST_")]
    assert rows
    assert [name.strip() for _, name, _, what, _ in rows if not what.strip()] == []
