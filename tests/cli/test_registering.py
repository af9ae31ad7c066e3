"""Clients, services, tokens for trying out, and the status."""

from pathlib import Path

import httpx

from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from tests.cli.conftest import Cli


def test_from_a_service_and_a_client_to_a_token_that_is_explained(operator_cli: Cli, tmp_path: Path) -> None:
    assert operator_cli("services", "register", "cinema", "--scope", "read", "--scope", "write").code == 0
    made = operator_cli(
        "clients", "register", "Box office", "--client-id", "box", "--access", "cinema=read,write"
    )
    assert made.code == 0, made.err
    assert "client secret" in made.out
    assert "cinema=read,write" in operator_cli("clients", "list").out
    assert "cinema" in operator_cli("services", "list").out
    minted = operator_cli(
        "mint", "zoe", "--client", "box", "--audience", "cinema", "--claim", "tenant=acme-2"
    )
    assert minted.code == 0, minted.err
    token = tmp_path / "token.jwt"
    token.write_text(minted.out)
    found = operator_cli("explain", str(token), "--json").data
    assert (found["answer"], found["claims"]["tenant"]) == ("accepted", "acme-2")


def test_a_registered_client_can_get_a_token_with_its_secret(operator_cli: Cli) -> None:
    access = f"{operator_cli.environ['REVOCAST_ISSUER']}=revocast:read"
    made = operator_cli("clients", "register", "Auditor", "--access", access, "--json").data
    auditor = operator_cli.having(
        REVOCAST_CLIENT_ID=made["client_id"], REVOCAST_CLIENT_SECRET=made["client_secret"]
    )
    assert auditor("list").code == 0
    refused = auditor("revoke", "subject", "alice")
    assert refused.code == 5
    assert "may not do that" in refused.err


def test_a_services_own_client_may_ask_about_its_tokens(operator_cli: Cli) -> None:
    assert operator_cli("services", "register", "theatre", "--scope", "read").code == 0
    operator_cli("clients", "register", "Desk", "--client-id", "desk", "--access", "theatre=read")
    made = operator_cli("clients", "register", "Theatre", "--introspects", "theatre", "--json").data
    token = operator_cli("mint", "zoe", "--client", "desk", "--audience", "theatre").out.strip()
    answer = httpx.post(
        f"{operator_cli.environ['REVOCAST_ISSUER']}/oauth/introspect",
        auth=(made["client_id"], made["client_secret"]),
        data={"token": token},
    )
    assert answer.json()["active"] is True


def test_access_that_names_no_scope_is_answered_with_how_to_write_it(operator_cli: Cli) -> None:
    done = operator_cli("clients", "register", "Broken", "--access", "cinema")
    assert done.code == 2
    assert "--access AUDIENCE=SCOPE" in done.err


def test_status_says_that_everything_is_published(operator_cli: Cli) -> None:
    assert operator_cli("revoke", "subject", "status").code == 0
    done = operator_cli("status")
    assert done.out.startswith("all published: n = ")
    assert "relay        publishing" in done.out
    with Operator(operator_settings(operator_cli.environ)) as operator:
        assert operator.get("/v1/status", "revocast:read")["root"] in done.out
