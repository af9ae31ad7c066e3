"""One decision of the root's holder, from the state that it starts from to the signed list in its readers' hands.

* Whatever its source, the list in force must have been signed by this very root: else the next one would be refused.
* What will change is shown, old and new, and asked, before anything is signed.
* A signed list is judged as a reader would judge it before it leaves this process.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from revocast.cli.answer import Answer, lines
from revocast.cli.confirm import confirm
from revocast.cli.errors import PENDING, Misused, Refused, Unreachable
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time
from revocast.cli.trust.describe import changes
from revocast.cli.trust.known import KnownTrust, taken_by
from revocast.cli.trust.publishing import hand_to_issuer, put_on_topic, write_new
from revocast.cli.trust.root_key import open_root
from revocast.cli.trust.sources import from_file, from_issuer, from_kafka
from revocast.schemas.delegations import DelegationList
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import PublicKey
from revocast.schemas.signer import Signer
from revocast.schemas.trust import Trust

__all__ = ["Ceremony", "Days", "Out", "ceremony", "show_changes", "sign_list"]

Days = Annotated[int, typer.Option(min=1, max=3650, help="How long the new list is good, days.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write the signed list here and publish nothing: `trust publish`."
    ),
]


class Ceremony:
    """What `ceremony` has opened: the root, what is known, and the way out for the signed list."""

    def __init__(
        self, signer: Signer, root: PublicKey, known: KnownTrust, operator: Operator | None, *, kafka: bool
    ) -> None:
        self.signer = signer
        self.root = root
        self.known = known
        self.operator = operator
        self.now = int(time.time())
        self._kafka = kafka

    def conclude(self, successor: DelegationList, *, out: Path | None, yes: bool, as_json: bool) -> Answer:
        """Show, ask, sign, hand over. Raises a `CliError`."""
        self.agree(successor, self.root.kid, out=out, yes=yes, as_json=as_json)
        return self.deliver(successor, out=out)

    def agree(
        self, successor: DelegationList, root: str, *, out: Path | None, yes: bool, as_json: bool
    ) -> None:
        """Show what changes when `root`, a thumbprint, signs this, and ask. Raises `Misused`, or aborts."""
        if out is None and self.operator is None and not self._kafka:
            raise Misused(
                "a list that is made from a file goes to a file",
                "Add --out FILE, and bring it online: revocast trust publish FILE",
            )
        if out is not None and out.exists():
            raise Misused(f"{out} exists already", "Nothing is overwritten: give another path.")
        known = self.known
        if not as_json:
            title = f"The next delegation list of {known.issuer}, after the one from {known.origin}:"
            show_changes(title, changes(known.in_force.listed, successor, (known.roots[-1], root)))
        confirm("Sign this?", yes=yes)

    def deliver(
        self, successor: DelegationList, *, out: Path | None, by: tuple[Signer, PublicKey] | None = None
    ) -> Answer:
        """Sign, by the present root or by its successor, check, and hand over. Raises a `CliError`."""
        signer, root = by or (self.signer, self.root)
        compact = sign_list(successor, self.known.issuer, signer, self.known.trust)
        if out is not None:
            write_new(out, compact + b"\n")
            return _answer(successor, root, {"out": str(out), "status": "signed"})
        if self.operator is not None:
            return _answer(successor, root, hand_to_issuer(self.operator, compact))
        # Under the root that signs until this list: so read those who follow it.
        return _answer(successor, root, put_on_topic(compact, self.root.kid))


@contextmanager
def ceremony(root_key: str, source: Path | None, *, kafka: bool = False) -> Iterator[Ceremony]:
    """Open the root, and read the list in force from `source`, from Kafka, or else from the issuer. Raises a `CliError`."""
    if source is not None and kafka:
        raise Misused("--from and --kafka: there is one source", "Leave one of them out.")
    signer, root = open_root(root_key)
    try:
        if source is not None or kafka:
            known = from_file(source, root.kid) if source is not None else from_kafka(root.kid)
            yield Ceremony(signer, root, _signed_by(known, root), None, kafka=kafka)
            return
        with Operator(operator_settings()) as operator:
            try:
                known = from_issuer(operator, root.kid)
            except Unreachable as error:
                raise Unreachable(str(error), f"{error.hint} {_WITHOUT_ISSUER}") from None
            yield Ceremony(signer, root, _signed_by(known, root), operator, kafka=False)
    except SchemaError as error:
        raise Misused(str(error)) from None


_WITHOUT_ISSUER: Final = (
    "Nothing was signed. `distrust`, `renew` and `rotate-root` also work without it: add --kafka."
)


def _signed_by(known: KnownTrust, root: PublicKey) -> KnownTrust:
    if known.roots[-1] != root.kid:
        raise Refused(
            f"this root, {root.kid}, has handed over to {known.roots[-1]}",
            "Sign with that one: --root-key URI",
        )
    return known


def sign_list(successor: DelegationList, issuer: str, signer: Signer, reader: Trust) -> bytes:
    """The signed list, as `reader` has taken it. Raises `Refused` when the signer did not do what it should."""
    try:
        compact = successor.signed(issuer, signer)
    except Exception as error:  # a KMS or an HSM: whatever its driver raises
        raise Refused(f"the root did not sign: {error}", "Nothing was published.") from None
    if problem := taken_by(reader, compact):
        raise Refused(f"no reader would take what was signed: {problem}", "Nothing was published.")
    return compact


def show_changes(title: str, said: Iterable[str]) -> None:
    """On stderr, so that the answer stands alone on stdout."""
    for line in (title, *(f"  {line}" for line in said)):
        print(inert(line), file=sys.stderr)


def _answer(successor: DelegationList, root: PublicKey, outcome: Mapping[str, Any]) -> Answer:
    data = {
        "version": successor.version,
        "epoch": successor.epoch,
        "expires_at": successor.expires_at,
        "root": root.kid,
        **outcome,
    }
    pending = data["status"] == "pending"
    headline = {
        "signed": f"signed: delegation list {successor.version} is in {data.get('out')}",
        "pending": f"in force at the issuer: delegation list {successor.version}; not all of it is on Kafka yet: see `revocast status`",
        "published": f"published: delegation list {successor.version}",
    }[data["status"]]
    said = [headline, f"  epoch    {successor.epoch}", f"  expires  {show_time(successor.expires_at)}"]
    if active := data.get("active"):
        said.append(f"  signs    {active}")
    if data["status"] == "signed":
        said.append(f"Bring it online: revocast trust publish {data['out']}")
    if "topic" in data:
        said.append("The issuer takes it from there. Decide nothing else until `revocast trust show` has it.")
    return Answer(
        data, lines(*said, style="bold yellow" if pending else "bold green"), PENDING if pending else 0
    )
