"""What strictness costs: a token under the whole profile beside lenient decoders, and a record of the log at its readers."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial

import jwt
from jwt.types import Options

from benchmarks.benchmark import Benchmark, Run
from revocast.schemas.events import Envelope
from revocast.schemas.jose import ALGORITHMS
from revocast.schemas.trust import Trust
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import Topic
from revocast.sdk.profile import authenticate
from revocast.streams.follower import Follower
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_COUNT = 300


def measure(run: Run) -> None:
    """Tokens, then records."""
    for alg in ALGORITHMS:
        _tokens(run, alg)
    _records(run, 1, _COUNT)
    _records(run, 1000, _COUNT // 10)


# --- tokens


def _tokens(run: Run, alg: str) -> None:
    authority = Authority(alg=alg)
    core = core_for(authority)
    Delivery(authority, core).deliver()
    tokens = [authority.mint(sub=f"user-{number}", scope="read write") for number in range(_COUNT)]
    group = run.group(f"A new token, {alg}", "µs a token", baselines=("lenient", "PyJWT"))
    group.take_turns(
        {
            "signature alone": partial(_each, _signature(authority), tokens),
            "lenient": partial(_each, _lenient(authority), tokens),
            "PyJWT": partial(_each, _pyjwt(authority), tokens),
        },
        {"strict": partial(_each, _strict(core), tokens)},
        rounds=run.pick(2, 15, 60),
        scale=1e6 / _COUNT,
    )


def _each(way: Callable[[str], object], tokens: Sequence[str]) -> None:
    for token in tokens:
        way(token)


def _signature(authority: Authority) -> Callable[[str], object]:
    key = authority.active.public

    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        assert key.verify(head.encode(), _decoded(tail))
        return None

    return judge


def _lenient(authority: Authority) -> Callable[[str], object]:
    key = authority.active.public

    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        header, _, payload = head.partition(".")
        assert json.loads(_decoded(header))["alg"]
        assert key.verify(head.encode(), _decoded(tail))
        claims = json.loads(_decoded(payload))
        assert claims["exp"] > authority.now
        assert claims["aud"] == authority.audience
        return claims

    return judge


def _pyjwt(authority: Authority) -> Callable[[str], object]:
    public = authority.active.public
    key = jwt.PyJWK(dict(public.jwk)).key
    options: Options = {"verify_exp": False, "verify_iat": False}  # the simulator's clock is not today's
    aud, iss = authority.audience, authority.issuer
    return lambda token: jwt.decode(token, key, [public.alg], options, audience=aud, issuer=iss)


def _strict(core: GuardCore) -> Callable[[str], object]:
    verifier = core.verifier
    return lambda token: authenticate(token, verifier.keyring, verifier.profile)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- records


def _records(run: Run, rows: int, count: int) -> None:
    authority = Authority()
    for number in range(count):
        selectors = [authority.subject(f"{number}/{row}") for row in range(rows)]
        authority.append([authority.block_row(selector) for selector in selectors])
    group = run.group(
        f"A record of {rows:,} row{'s' * (rows > 1)}", "µs a record", baselines=("signature alone",)
    )
    group.take_turns(
        {"signature alone": _signatures(authority)},
        {"guard": _guard(authority), "streams": _streams(authority)},
        rounds=run.pick(2, 15, 60),
        scale=1e6 / len(authority.log),
    )


def _signatures(authority: Authority) -> Callable[[], object]:
    key = authority.event_key.public
    envelopes = [Envelope.parse(message.value) for message in authority.log if message.value is not None]
    return lambda: [key.verify(each.signing_input, each.signature) for each in envelopes]


def _guard(authority: Authority) -> Callable[[], object]:
    """A core that knows the keys, and is handed the log as the Kafka follower hands it over."""
    received = [Received(message.offset, message.value) for message in authority.log]

    def read() -> None:
        core = core_for(authority)  # a new one each time: records that were read already cost nothing
        delivery = Delivery(authority, core)
        delivery.feed(Topic.KEYS)
        core.receive(Topic.LOG, received, delivery.now)
        assert core.table()[1] == authority.table.pack()

    return read


def _streams(authority: Authority) -> Callable[[], object]:
    """The chain's follower, which also makes the frames."""

    def read() -> None:
        trust = Trust(authority.issuer, authority.pin)
        for message in authority.keys:
            trust.receive(message.value, message.offset)
        follower = Follower(trust, None)
        for each in authority.log:
            follower.receive(each.value, 0.0, each.offset)

    return read


BENCHMARK = Benchmark(
    name="strictness",
    title="What strictness costs",
    about=(
        "A token under the whole profile beside a decoder that one would write by hand on the same library (*lenient*: split, "
        "decode, parse, verify, look at `exp` and `aud`), and a record of the log at its readers, from nothing to the table, beside its "
        f"signature. {_COUNT} tokens a round; {_COUNT} records of one row, {_COUNT // 10} of 1,000."
    ),
    measure=measure,
)
