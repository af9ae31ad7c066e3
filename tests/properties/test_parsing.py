"""For any bytes: an error of ours, or a value that is written as it was read. The targets are those of `make fuzz`."""

import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuzz.mutation import mutated
from fuzz.targets import TARGETS

ANY_TIME = settings(
    max_examples=150,
    deadline=2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
"""The deadline, in milliseconds, is on one input: nothing takes unbounded time."""
SEEDS = [(name, seed) for name, target in TARGETS.items() for seed in target.seeds()]
JSON = [(name, seed) for name, seed in SEEDS if mutated(seed, 0) is not None]


@pytest.mark.parametrize("name", TARGETS)
def test_what_we_write_is_read(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
@ANY_TIME
@given(data=st.binary(max_size=600))
@example(data=b"")
@example(data=b"[" * 100_000)
@example(data=b'{"a":' * 50_000)
@example(data=b'"' + b"\\" * 100_001)
def test_any_bytes_are_an_error_of_ours_or_a_value(name: str, data: bytes) -> None:
    TARGETS[name].check(data)


@ANY_TIME
@given(
    seeded=st.sampled_from(SEEDS), at=st.integers(0, 2**16), bit=st.integers(0, 7), cut=st.integers(0, 2**16)
)
def test_good_inputs_with_a_bit_flipped_or_cut_short_are(
    seeded: tuple[str, bytes], at: int, bit: int, cut: int
) -> None:
    name, seed = seeded
    data = bytearray(seed)
    data[at % len(data)] ^= 1 << bit
    TARGETS[name].check(bytes(data))
    TARGETS[name].check(seed[: cut % len(seed)])


@settings(ANY_TIME, max_examples=400)
@given(seeded=st.sampled_from(JSON), seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_good_documents_with_other_members_signed_by_the_right_key_are(
    seeded: tuple[str, bytes], seeds: list[int]
) -> None:
    name, data = seeded
    for seed in seeds:
        data = mutated(data, seed) or data
    TARGETS[name].check(data)


def test_the_mutations_reach_what_is_behind_the_signature() -> None:
    rng = random.Random(1)
    for name, seed in JSON:
        assert any(mutated(seed, rng.randrange(2**32)) != seed for _ in range(20)), name
