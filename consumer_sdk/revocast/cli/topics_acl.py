"""`revocast topics acl`: give each role its principal and the least rights, or check that nobody has more."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from revocast.cli.acl import EVERYBODY, ROLES, Grant, Role, Scope, commands, grants
from revocast.cli.acl_admin import AclAdmin
from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.errors import FOUND, Misused
from revocast.cli.settings import kafka_settings
from revocast.cli.topic_reader import kafka_error
from revocast.schemas.settings import KafkaSettings

__all__ = ["acl"]

Principals = list[str] | None


def acl(
    issuer: Annotated[Principals, typer.Option(help="Principal of the issuer, like User:issuer.")] = None,
    streams: Annotated[Principals, typer.Option(help="Of streams' workers.")] = None,
    service: Annotated[Principals, typer.Option(help="Of a service with a Guard. Each repeatable.")] = None,
    dashboard: Annotated[Principals, typer.Option(help="Of who looks on: audit, fleet.")] = None,
    operator: Annotated[Principals, typer.Option(help="Of operators' commands.")] = None,
    app_id: Annotated[
        str | None, typer.Option(envvar="REVOCAST_STREAMS_APP_ID", help="Of streams [PREFIX-streams].")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1: one is missing, or there are more.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--print", help="Print kafka-acls.sh commands and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> Answer:
    """Let each role do in Kafka what it needs, and nothing else. Repeat it as often as you like; it takes nothing away.

    Name every principal at once: what is granted to others on these topics is reported, with the command that removes it.
    Run it as the broker's admin; an operator's principal can --check.

    \b
    revocast topics acl --issuer User:issuer --streams User:streams --service User:orders --operator User:operator
    """
    if check and show:
        raise Misused("--check and --print do not go together")
    kafka = kafka_settings()
    scope = Scope(kafka.topics, app_id or f"{kafka.prefix}-streams")
    named = dict(zip(ROLES, (issuer, streams, service, dashboard, operator), strict=True))
    wanted = grants(scope.topics, scope.app_id, _principals(named))
    if show:
        printed = _commands(wanted, kafka)
        return Answer({"commands": printed}, lines(*printed))
    admin = AclAdmin(kafka)
    asyncio.run(_reach(kafka))
    existing = admin.existing()
    missing = sorted(wanted - existing)
    if not check:
        admin.create(missing)
    extra = scope.surplus(existing, wanted)
    return _answer(kafka, wanted, missing, extra, changed=not check, blind=check and not existing)


async def _reach(kafka: KafkaSettings) -> None:
    # librdkafka says "timed out", after a while, whatever is wrong. aiokafka's error can be put in words.
    client = AIOKafkaClient(**kafka.client_options(), request_timeout_ms=10_000)
    try:
        await client.bootstrap()
    except KafkaError as error:
        raise await kafka_error(kafka, error) from None
    finally:
        await client.close()


def _principals(named: dict[Role, Principals]) -> dict[Role, Sequence[str]]:
    """Who was named: principals, one role each, and nobody who is everybody. Raises `Misused`."""
    found: dict[str, Role] = {}
    for role, names in named.items():
        for name in names or ():
            kind, _, who = name.partition(":")
            if kind != "User" or not who or name == EVERYBODY:
                raise Misused(f"--{role} {name}: a principal is User: and one name")
            if found.setdefault(name, role) != role:
                raise Misused(f"{name} cannot be {found[name]} and {role}", "One principal a role.")
    if not found:
        raise Misused(
            "nobody is named", "Name the principals: --issuer User:issuer, --service User:orders, …"
        )
    return {role: names for role, names in named.items() if names}


def _commands(
    wanted: frozenset[Grant] | Sequence[Grant], kafka: KafkaSettings, *, remove: bool = False
) -> list[str]:
    login = kafka.kafka_security != "plaintext"
    return commands(wanted, kafka.kafka, login=login, verb="remove" if remove else "add")


def _answer(
    kafka: KafkaSettings,
    wanted: frozenset[Grant],
    missing: list[Grant],
    extra: list[Grant],
    *,
    changed: bool,
    blind: bool,
) -> Answer:
    bad = bool(extra or (missing and not changed))
    said = [f"{len(wanted)} grants: {'not as they must be' if bad else 'as they must be'}"]
    said += [f"  {'granted' if changed else 'missing'}  {grant}" for grant in missing]
    said += [f"  extra    {grant}" for grant in extra]
    if blind:
        said.append(
            "           no ACL at all is to be seen: is there an authorizer, and may this principal look?"
        )
    mend = _commands(extra, kafka, remove=True)
    said += [f"           mend: {command}" for command in mend]
    data = {
        "ok": not bad,
        "granted": [asdict(grant) for grant in missing] if changed else [],
        "missing": [] if changed else [asdict(grant) for grant in missing],
        "extra": [asdict(grant) for grant in extra],
        "mend": mend,
    }
    return Answer(data, lines(*said, style="bold red" if bad else "bold green"), FOUND if bad else 0)
