"""What the command says when the database was restored from a backup, and the relay refuses to publish."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest

from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker.ports import free_ports
from revocast.dev.demo.http import answers
from revocast.dev.demo.processes import Processes, wait_until
from tests.cli.conftest import REVOCAST, Cli


def _relay_state(cli: Cli) -> str:
    with Operator(operator_settings(cli.environ)) as operator:
        return str(operator.get("/v1/status", "revocast:read")["relay"]["state"])


@pytest.fixture(scope="module")
def refusing_cli(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """Of an issuer whose log is ahead of its database."""
    folder = tmp_path_factory.mktemp("refusing")
    home = folder / "home"
    (port,) = free_ports(1)
    cli = Cli(
        {
            "REVOCAST_KAFKA": kafka,
            "REVOCAST_PREFIX": f"test-{secrets.token_hex(6)}",
            "REVOCAST_HOME": str(home),
            "REVOCAST_ISSUER": f"http://127.0.0.1:{port}",
            "REVOCAST_LISTEN": f"127.0.0.1:{port}",
            "REVOCAST_PUBLISH_TIMEOUT": "10",
        }
    )
    assert cli("topics", "ensure").code == 0
    assert cli("init").code == 0
    shutil.copytree(home, folder / "backup")
    command, environ = [*REVOCAST, "serve", "issuer"], {**os.environ, **cli.environ}
    with closing(Processes(folder)) as processes:
        issuer = processes.start("issuer", command, environ)
        wait_until("the issuer's start", lambda: answers(port, "/readyz"), issuer)
        assert cli("revoke", "subject", "alice").code == 0
        processes.stop(issuer)
        shutil.rmtree(home)
        shutil.copytree(folder / "backup", home)
        environ["REVOCAST_PUBLISH_TIMEOUT"] = "0"
        issuer = processes.start("issuer", command, environ)
        wait_until("the issuer's start", lambda: answers(port, "/readyz"), issuer)
        wait_until("the refusal", lambda: _relay_state(cli) == "refusing", issuer)
        yield cli


def test_pending_names_the_refusal_and_what_to_do_about_it(refusing_cli: Cli) -> None:
    done = refusing_cli("revoke", "subject", "bob")
    assert done.code == 3, done.err
    assert "the relay refuses to publish: the log is ahead of the database" in done.out
    assert "revocast recover --dry-run" in done.out
    assert "Kafka is away" not in done.out


def test_pending_is_still_the_answer_for_an_operator_who_may_not_read(refusing_cli: Cli) -> None:
    with Operator(operator_settings(refusing_cli.environ)) as operator:
        access = {refusing_cli.environ["REVOCAST_ISSUER"]: ["revocast:revoke"]}
        client = {"client_id": "night-shift", "name": "Night shift", "access": access}
        made = operator.post("/v1/clients", "revocast:clients revocast:revoke", client)
    night_shift = refusing_cli.having(
        REVOCAST_CLIENT_ID="night-shift", REVOCAST_CLIENT_SECRET=made["client_secret"]
    )
    done = night_shift("revoke", "subject", "carol")
    assert (done.code, "pending as n = " in done.out) == (3, True), done.err


def test_status_says_the_refusal_first_and_exits_with_1(refusing_cli: Cli) -> None:
    done = refusing_cli("status")
    assert done.code == 1, done.err
    assert done.out.startswith("the relay is refusing: the log is ahead of the database")
    assert refusing_cli("status", "--json").code == 1
