"""Who may do what: the rules, and the command on a broker with the hardened profile."""

import sys

import pytest

from revocast.cli.acl import ROLES, Grant, Role, Scope, commands, grants
from revocast.dev.broker import JvmBroker
from revocast.schemas.topics import Topics
from tests.cli.conftest import Cli
from tests.hardened import PRINCIPALS, as_admin

TOPICS = Topics("revocast")
SCOPE = Scope(TOPICS, "revocast-streams")
CONTROL = {spec.name for spec in TOPICS.specs(1) if spec.control}


def of(*roles: Role) -> frozenset[Grant]:
    return grants(TOPICS, SCOPE.app_id, {role: [f"User:{role}"] for role in roles})


def operations(role: Role) -> set[tuple[str, str]]:
    return {(grant.name, grant.operation) for grant in of(role)}


def test_only_the_issuer_writes_what_decides_and_the_operator_keys_alone() -> None:
    deciding = CONTROL - {TOPICS.snapshots}
    writers = {
        role: {name for name, operation in operations(role) if operation == "WRITE" and name in deciding}
        for role in ROLES
    }
    assert writers == {
        "issuer": deciding,
        "operator": {TOPICS.keys},
        "streams": set(),
        "service": set(),
        "dashboard": set(),
    }


def test_nobody_is_given_a_wildcard_or_a_way_to_more_rights() -> None:
    for grant in of(*ROLES):
        assert grant.name != "*" and grant.operation not in (
            "ALL",
            "ALTER",
            "ALTER_CONFIGS",
            "CLUSTER_ACTION",
        )
        assert not grant.prefixed or grant.name == "revocast-streams-"
    assert {grant for grant in of(*ROLES) if grant.resource == "cluster"} == {
        Grant("User:operator", "cluster", "kafka-cluster", False, "DESCRIBE")
    }


@pytest.mark.parametrize(
    "grant",
    [
        Grant("User:eve", "topic", "*", False, "WRITE"),
        Grant("User:eve", "topic", "revo", True, "WRITE"),
        Grant("User:eve", "topic", "revocast.keys", False, "ALL"),
        Grant("User:eve", "topic", "revocast.keys", False, "READ", host="10.0.0.7"),
        Grant("User:eve", "topic", "revocast-streams-frames", False, "WRITE"),
        Grant("User:service", "topic", "revocast.audit", False, "READ"),
        Grant("User:*", "topic", "revocast.revocations", False, "READ"),
        Grant("User:eve", "group", "revocast-streams", False, "READ"),
        Grant("User:eve", "group", "*", False, "DELETE"),
        Grant("User:eve", "cluster", "kafka-cluster", False, "ALTER"),
        Grant("User:eve", "cluster", "kafka-cluster", False, "CREATE"),
        Grant("User:service", "topic", "revocast.keys", False, "READ", allow=False),
        Grant("User:*", "topic", "revocast.", True, "READ", allow=False),
    ],
    ids=str,
)
def test_whatever_else_is_granted_here_is_found(grant: Grant) -> None:
    wanted = of("service", "streams")
    assert SCOPE.surplus({*wanted, grant}, wanted) == [grant]


@pytest.mark.parametrize(
    "grant",
    [
        Grant("User:eve", "topic", "payments", False, "ALL"),
        Grant("User:eve", "topic", "revocast2.", True, "WRITE"),
        Grant("User:eve", "group", "payments", True, "READ"),
        Grant("User:eve", "cluster", "kafka-cluster", False, "DESCRIBE"),
        Grant("User:eve", "topic", "revocast.keys", False, "READ", allow=False),
    ],
    ids=str,
)
def test_what_others_have_on_their_own_topics_is_their_business(grant: Grant) -> None:
    wanted = of("service")
    assert SCOPE.surplus({*wanted, grant}, wanted) == []


def test_commands_are_kafkas_own_one_for_each_topic() -> None:
    first = commands(of("streams"), "b:1", login=True)
    assert (
        "kafka-acls.sh --bootstrap-server b:1 --command-config admin.properties --add --allow-principal User:streams "
        "--operation Create --operation Read --operation Write --topic revocast-streams- --resource-pattern-type prefixed"
        in first
    )
    denied = Grant("User:x", "topic", "revocast.keys", False, "DESCRIBE_CONFIGS", "10.0.0.7", allow=False)
    assert commands([denied], "b:1", login=False, verb="remove") == [
        (
            "kafka-acls.sh --bootstrap-server b:1 --remove --force --deny-principal User:x --deny-host 10.0.0.7 "
            "--operation DescribeConfigs --topic revocast.keys"
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nobody is named"),
        (["--service", "User:*"], "a principal is User: and one name"),
        (["--service", "orders"], "a principal is User: and one name"),
        (["--service", "User:x", "--issuer", "User:x"], "User:x cannot be issuer and service"),
        (["--service", "User:x", "--check", "--print"], "do not go together"),
    ],
)
def test_a_principal_has_one_role_and_is_not_everybody(arguments: list[str], said: str) -> None:
    done = Cli({"REVOCAST_KAFKA": "127.0.0.1:9"})("topics", "acl", *arguments)
    assert done.code == 2
    assert said in done.err


def test_without_the_extra_it_says_what_to_install_and_still_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    cli = Cli({"REVOCAST_KAFKA": "127.0.0.1:9"})
    done = cli("topics", "acl", "--service", "User:orders")
    assert done.code == 2
    assert 'pip install "revocast[acl]"' in done.err
    assert cli("topics", "acl", "--service", "User:orders", "--print").code == 0


def test_print_needs_no_broker() -> None:
    done = Cli({"REVOCAST_KAFKA": "127.0.0.1:9"})(
        "topics", "acl", "--service", "User:orders", "--print", "--json"
    )
    assert done.code == 0
    assert len(done.data["commands"]) == 5


def test_rights_are_given_once_and_a_grant_too_many_is_found_with_its_mend(hardened: JvmBroker) -> None:
    cli = as_admin(hardened, "granted")
    assert cli("topics", "acl", "--check", *PRINCIPALS).code == 1
    first = cli("topics", "acl", *PRINCIPALS, "--json")
    given = [grant for grant in first.data["granted"] if grant["resource"] != "cluster"]
    assert (first.code, len(given)) == (0, 52)
    second = cli("topics", "acl", *PRINCIPALS, "--json")
    assert (second.code, second.data["granted"]) == (0, [])
    operator = Cli(
        {**hardened.hardening.by_password("operator", hardened.bootstrap), "REVOCAST_PREFIX": "granted"}
    )
    assert operator("topics", "acl", "--check", *PRINCIPALS).code == 0
    # One service fewer is named: what it has is too much, and told.
    fewer = operator("topics", "acl", "--check", *PRINCIPALS[:4], *PRINCIPALS[6:], "--json")
    assert fewer.code == 1
    assert {grant["principal"] for grant in fewer.data["extra"]} == {"User:service"}
    assert all("--remove --force --allow-principal User:service" in mend for mend in fewer.data["mend"])


def test_who_may_not_grant_is_told_and_who_may_not_look_sees_why_nothing_is_there(
    hardened: JvmBroker,
) -> None:
    environ = hardened.hardening.by_password("operator", hardened.bootstrap)
    denied = Cli({**environ, "REVOCAST_PREFIX": "unseen"})("topics", "acl", "--service", "User:x")
    assert denied.code == 5
    assert "does not let this principal" in denied.err
    blind = Cli(hardened.hardening.by_password("service", hardened.bootstrap))
    done = blind("topics", "acl", "--check", "--service", "User:x")
    assert done.code == 1
    assert "no ACL at all is to be seen" in done.out


def test_a_broker_without_an_authorizer_is_told_to_have_one(kafka: str) -> None:
    done = Cli({"REVOCAST_KAFKA": kafka})("topics", "acl", "--service", "User:orders")
    assert done.code == 2
    assert "has no authorizer" in done.err
