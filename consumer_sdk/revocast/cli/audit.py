"""`revocast audit`: who did what, as it happens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from revocast.cli.answer import Answer, AsJson
from revocast.cli.inert import inert
from revocast.cli.settings import kafka_settings
from revocast.cli.topic_reader import assigned, read_until, seek_back
from revocast.schemas.jose import parse_json

__all__ = ["app"]

app = typer.Typer(help="Who did what, when and why.", no_args_is_help=True)


@app.command()
def tail(
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="The newest so many first.")] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    only: Annotated[str | None, typer.Option("--type", help="Only types that begin so: revocast.key")] = None,
    as_json: AsJson = False,
) -> Iterator[Answer]:
    """The newest audit events (CloudEvents), oldest first; with -f also those to come.

    \b
    revocast audit tail -f
    revocast audit tail -n 100 --type revocast.key --json | jq .data
    """
    events = _tail(lines, only or "", follow=follow)
    with asyncio.Runner() as runner:
        while (event := runner.run(_next(events))) is not None:
            yield Answer(event, _line(event))


async def _next(events: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
    return await anext(events, None)


async def _tail(count: int, only: str, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
    kafka = kafka_settings()
    async with assigned(kafka, kafka.topics.audit) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        if not only:  # how many a filter will skip is not known
            await seek_back(consumer, ends, count)
        backlog: list[dict[str, Any]] = []
        async for record in read_until(consumer, ends):
            backlog += _events(record.value, only)
        for event in sorted(backlog, key=lambda event: str(event.get("time")))[-count:] if count else ():
            yield event
        while follow:
            async for record in consumer:
                for event in _events(record.value, only):
                    yield event


def _events(value: bytes | None, only: str) -> list[dict[str, Any]]:
    """The event in a record, if it is one and wanted. Anyone who can write to the topic could have written it."""
    try:
        event = parse_json(value or b"")
    except ValueError:
        return []
    return [event] if isinstance(event, dict) and str(event.get("type", "")).startswith(only) else []


def _line(event: dict[str, Any]) -> Text:
    data = event.get("data")
    details = (
        " ".join(f"{name}={value}" for name, value in data.items()) if isinstance(data, dict) else str(data)
    )
    return Text.assemble(
        (inert(event.get("time", "")), "dim"),
        " ",
        (inert(event.get("type", "")), "bold"),
        " ",
        inert(event.get("subject", "")),
        (f" {inert(details)}", "dim"),
    )
