"""One target under libFuzzer: `python -m fuzz.target NAME [libFuzzer's options and corpus folders]`."""

import sys

import atheris

from fuzz.mutation import mutated

with atheris.instrument_imports(include=["revocast.schemas", "revocast.sdk", "fuzz.targets"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer ends it."""
    target = TARGETS[sys.argv.pop(1)]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        tree = mutated(data, seed) if target.is_json and seed % 4 else None
        return bytes(atheris.Mutate(data, max_size)) if tree is None else tree[:max_size]

    target.check(b"")  # what is made once is no finding of its own, and slow
    atheris.Setup(sys.argv, target.check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
