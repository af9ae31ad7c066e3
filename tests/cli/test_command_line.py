"""The command as such: help, contributed commands, what is missing."""

import subprocess
import sys

from tests.cli.conftest import Cli


def test_commands_of_issuer_and_streams_are_merged_in(cli: Cli) -> None:
    assert "init" in cli.process("--help").out
    parts = cli.process("serve", "--help").out
    assert "issuer" in parts
    assert "streams" in parts


def test_every_command_has_help_with_json_and_exit_codes_are_documented(cli: Cli) -> None:
    assert "Exit codes: 0 done" in cli("--help").out
    for arguments in (
        ("revoke",),
        ("lift",),
        ("list",),
        ("keys", "rotate"),
        ("log", "verify"),
        ("topics", "ensure"),
    ):
        assert "--json" in cli(*arguments, "--help").out


def test_without_settings_the_error_names_the_variables(cli: Cli) -> None:
    done = cli.process("list")
    assert done.code == 2
    assert "REVOCAST_ISSUER" in done.err
    assert "revocast init" in done.err


def test_without_the_extra_the_command_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['typer'] = None; sys.meta_path.insert(0, type('Without', (), {"
        "'find_spec': staticmethod(lambda name, *_: (_ for _ in ()).throw(ModuleNotFoundError(name=name))"
        " if name == 'typer' else None)})()); import revocast.cli; revocast.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "revocast[cli]"' in done.stderr
