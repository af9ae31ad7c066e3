"""`revocast trust publish`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.confirm import Yes, confirm
from revocast.cli.errors import PENDING, Misused, Unreachable
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings, trust_settings
from revocast.cli.trust.publishing import hand_to_issuer, put_on_topic
from revocast.cli.trust.sources import FromKafka, from_file

__all__ = ["app"]

app = typer.Typer()


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A signed list, as --out wrote it.")],
    kafka: FromKafka = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Bring a signed list to its readers: through the issuer, or straight onto Kafka. Anybody may; the signature counts.

    With --kafka it is first judged under the pinned root (REVOCAST_ROOT) and against the newest list there.

    \b
    revocast trust publish list.jwt
    revocast trust publish list.jwt --kafka
    """
    pin = trust_settings().root
    if kafka and pin is None:
        raise Misused(
            "without a pinned root nobody can say whose list this is",
            "Set REVOCAST_ROOT to the root's thumbprint.",
        )
    known = from_file(path, pin)
    listed = known.in_force.listed
    confirm(f"Publish delegation list {listed.version}, epoch {listed.epoch}?", yes=yes)
    answer: dict[str, Any]
    if kafka and pin is not None:
        answer = dict(put_on_topic(known.compact, pin))
    else:
        with Operator(operator_settings()) as operator:
            try:
                answer = dict(hand_to_issuer(operator, known.compact))
            except Unreachable as error:
                raise Unreachable(str(error), f"{error.hint} Straight onto the topic: add --kafka.") from None
    pending = answer["status"] == "pending"
    headline = f"{answer['status']}: delegation list {answer['version']}, epoch {answer['epoch']}"
    style = "bold yellow" if pending else "bold green"
    return Answer(answer, lines(headline, style=style), PENDING if pending else 0)
