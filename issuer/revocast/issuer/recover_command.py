"""`revocast recover`, a contribution to the `revocast` command. What is heavy is imported where it is used."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revocast.issuer.commands import HomeOption, Json, explained

if TYPE_CHECKING:
    from revocast.issuer.authority.recovered import Recovered
    from revocast.issuer.authority.revocations import Revoked
    from revocast.issuer.settings import IssuerSettings

__all__ = ["app"]

app = typer.Typer()

_LEFT_TO_DO = 1
_UNREACHABLE = 4
_SHOWN = 20


@app.command()
def recover(
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, judge and count; write nothing.")] = False,
    take_log: Annotated[
        bool,
        typer.Option(
            "--take-log",
            help="Where log and database are two histories: join the log's other revocations into the database.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """After the database was restored to an earlier moment: take in what Kafka has and it lacks. Publishes nothing.

    Stop every issuer first, and start them afterwards. Interrupted, it goes on where it was when it is run again.

    Exit codes: 0 done, 1 something is left to do, which it says, 4 Kafka cannot be reached, 6 an issuer runs.

    \b
    revocast recover --dry-run
    revocast recover
    """
    from revocast.issuer.settings import IssuerSettings

    with explained(as_json=as_json):
        settings = IssuerSettings.from_env(home=home)
        account = asyncio.run(_recover(settings, dry_run=dry_run, take_log=take_log, as_json=as_json))
    left = account.next_step != "start"
    if as_json:
        typer.echo(json.dumps(_data(account), indent=2))
    else:
        typer.echo("\n".join(_report(account)))
    if left:
        raise typer.Exit(_LEFT_TO_DO)


async def _recover(
    settings: "IssuerSettings", *, dry_run: bool, take_log: bool, as_json: bool
) -> "Recovered":
    from aiokafka.conn import create_conn
    from aiokafka.errors import KafkaError

    from revocast.issuer.opening import opened
    from revocast.issuer.recovery import recover as run
    from revocast.schemas.connecting import obstacle

    storage, keystore = opened(settings)
    try:
        return await run(
            storage,
            keystore,
            settings,
            dry_run=dry_run,
            take_log=take_log,
            progress=_progress(quiet=as_json),
        )
    except KafkaError as error:
        why = await obstacle(create_conn, settings)
        text = f"Kafka: {why or f'{type(error).__name__}: {error}'}; what was taken in stays, run it again"
        typer.echo(
            json.dumps({"error": "unreachable", "message": text, "hint": None})
            if as_json
            else f"error: {text}",
            err=True,
        )
        raise typer.Exit(_UNREACHABLE) from None
    finally:
        storage.close()


def _progress(*, quiet: bool) -> Callable[[str, int, int], None]:
    """A line a second on stderr, for what takes longer."""
    last = time.monotonic()

    def tell(topic: str, done: int, all_of_it: int) -> None:
        nonlocal last
        if not quiet and time.monotonic() - last >= 1:
            last = time.monotonic()
            print(f"{topic}: {done:,} of {all_of_it:,} records", file=sys.stderr, flush=True)

    return tell


def _data(account: "Recovered") -> dict[str, Any]:
    from revocast.issuer.authority.recovered import CANNOT_KNOW

    return {
        "issuer": account.issuer,
        "dry_run": account.dry_run,
        "next_step": str(account.next_step),
        "restored": _place(account.restored),
        "head": _place(account.head),
        "snapshot": {**_place(account.snapshot[0]), "rows": account.snapshot[1]}
        if account.snapshot
        else None,
        "records": account.taken,
        "rows": account.rows,
        "written_again": account.again,
        "delegation_lists": account.lists,
        "key_sets": account.key_sets,
        "token_keys": [{"kid": key.kid, "state": str(key.state)} for key in account.token_keys],
        "event_key": account.event_key,
        "missing": [_place(place) for place in account.missing] if account.missing else None,
        "foreign": [
            {**_place(each.place), "offset": each.offset, "rows": len(each.record.rows)}
            for each in account.foreign
        ],
        "joined": account.joined,
        "database_only": [
            {
                "n": row.n,
                "kind": row.selector.kind,
                "values": list(row.selector.values),
                "slot": row.row.slot.name.lower(),
                "fingerprint": row.row.fingerprint.hex(),
            }
            for row in account.database_only
        ],
        "cannot_know": list(CANNOT_KNOW),
        "seconds": round(account.seconds, 3),
    }


def _place(place: tuple[int, int]) -> dict[str, int]:
    return {"epoch": place[0], "n": place[1]}


def _report(account: "Recovered") -> Iterator[str]:
    from revocast.issuer.authority.recovered import CANNOT_KNOW

    (epoch, n), (to_epoch, to_n) = account.restored, account.head
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(account.restored_t))
    yield f"The database stood at record {epoch}/{n}, of {when}."
    would = "would take" if account.dry_run else "took"
    if account.snapshot:
        (at_epoch, at_n), rows = account.snapshot
        yield (
            f"  the log was truncated beyond it: {would} in the countersigned snapshot of record {at_epoch}/{at_n}, {rows:,} rows"
        )
    if account.taken:
        yield f"  {would} in {account.taken:,} records with {account.rows:,} rows; the head is {to_epoch}/{to_n}"
    if account.lists or account.key_sets:
        yield f"  {would} in {account.lists} delegation lists and {account.key_sets} key sets"
    for key in account.token_keys:
        yield f"  token key {key.kid} is {key.state}"
    if account.again:
        yield f"  {account.again:,} records of ours that were pending stand behind them, and are published next"
    if not account.changed and not account.foreign:
        yield "  Kafka has nothing that it lacks"
    yield from _histories(account)
    if account.changed:
        yield "What it cannot know, because the lost database alone had it:"
        yield from (f"  {line}" for line in CANNOT_KNOW)
    yield f"{account.seconds:.1f} s. {_next(account)}"


def _histories(account: "Recovered") -> Iterator[str]:
    if account.missing:
        (epoch, first), (_, last) = account.missing
        yield f"Records {epoch}/{first} to {epoch}/{last} are nowhere: what they revoked must be revoked again."
    if account.foreign:
        state = "joined in" if account.joined else "not in the database"
        yield f"Two histories: {len(account.foreign):,} signed records are on the log and are {state}:"
        for each in account.foreign[:_SHOWN]:
            yield f"  record {each.place[0]}/{each.place[1]} at offset {each.offset}, {len(each.record.rows)} rows"
        if len(account.foreign) > _SHOWN:
            yield f"  and {len(account.foreign) - _SHOWN:,} more (--json has all)"
    if account.database_only:
        yield f"{len(account.database_only):,} revocations of the database are not on the log; a new epoch re-issues them:"
        yield from (f"  {_revoked(row)}" for row in account.database_only[:_SHOWN])
        if len(account.database_only) > _SHOWN:
            yield f"  and {len(account.database_only) - _SHOWN:,} more (--json has all)"


def _next(account: "Recovered") -> str:
    return {
        "start": "Start the issuer: it publishes from here."
        if not account.dry_run
        else "Run it without --dry-run, then start the issuer.",
        "event_key": "No private half of an event key that may sign is here. Start the issuer, which publishes nothing yet, delegate a "
        "new one (revocast trust delegate --root-key …), and if it then says that the log is ahead, stop it and run this again.",
        "take_log": "Nothing of that is resolved here. Run `revocast recover --take-log`, start the issuer, which publishes nothing yet, and "
        "open a new epoch: revocast trust new-epoch --root-key …",
        "new_epoch": "Start the issuer, which publishes nothing yet, and open a new epoch: revocast trust new-epoch --root-key …",
    }[account.next_step]


def _revoked(row: "Revoked") -> str:
    named = " ".join(row.selector.values) or row.row.fingerprint.hex()
    # Escaped: what somebody once named reaches a terminal here.
    return f"{row.epoch}/{row.n} {row.row.slot.name.lower()} {row.selector.kind} {named!a}"
