"""`revocast snapshots`, against a real issuer without streams."""

import time

from tests.cli.conftest import Cli


def test_a_snapshot_is_cut_when_it_is_asked_for_and_told_in_words(operator_cli: Cli) -> None:
    before = len(operator_cli("snapshots", "list", "--json").data["items"])
    asked = operator_cli("snapshots", "cut")
    assert asked.code == 0 and "revocast snapshots show" in asked.out
    deadline = time.monotonic() + 30
    while len(operator_cli("snapshots", "list", "--json").data["items"]) == before:
        assert time.monotonic() < deadline, "no cut was taken"
    shown = operator_cli("snapshots", "show")
    assert shown.code == 0 and shown.out.startswith("cut, and not compared: streams have not written it")
    cut = operator_cli("snapshots", "show", "--json").data
    assert (cut["state"], cut["rows"], cut["problem"]) == ("cut", None, None)
    assert f"record {cut['n']} of epoch 1" in operator_cli("snapshots", "show", str(cut["n"])).out


def test_a_cut_that_never_was_is_named_as_such(operator_cli: Cli) -> None:
    done = operator_cli("snapshots", "show", "999999")
    assert done.code == 2 and "there is no such cut" in done.err
