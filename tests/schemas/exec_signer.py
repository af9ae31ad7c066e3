"""A second scheme, `exec:PROGRAM`: the key stays in another process, which is asked to sign over a pipe.

This file is both ends: `python exec_signer.py KEY.pem` is the program, and `signer` is the entry of `revocast.signers`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from revocast.schemas.jose import PrivateKey, PublicKey

_METADATA = "Metadata-Version: 2.1\nName: exec-signer\nVersion: 1\n"
_ENTRIES = "[revocast.signers]\nexec = tests.schemas.exec_signer:signer\n"


class ExecSigner:
    """Runs the program once for the public key, and once for each signature."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.public = PublicKey.from_jwk(json.loads(self._run("public", b"")))
        self.kid, self.alg = self.public.kid, self.public.alg

    def sign(self, signing_input: bytes) -> bytes:
        """Whatever the program answers."""
        return self._run("sign", signing_input)

    def _run(self, verb: str, data: bytes) -> bytes:
        return subprocess.run([self._program, verb], input=data, capture_output=True, check=True).stdout


def signer(uri: str) -> ExecSigner:
    """The entry."""
    return ExecSigner(uri.removeprefix("exec:"))


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """As if a distribution that offers the scheme were installed."""
    info = folder / "exec_signer-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(_METADATA)
    (info / "entry_points.txt").write_text(_ENTRIES)
    import pytest  # not in the program, which starts for each signature

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def program(folder: Path, key: PrivateKey) -> str:
    """A program that signs with `key`; its URI."""
    pem = folder / "behind-the-pipe.pem"
    pem.write_bytes(key.pem())
    script = folder / "sign"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{pem}" "$1"\n')
    script.chmod(0o700)
    return f"exec:{script}"


if __name__ == "__main__":
    held = PrivateKey.from_pem(Path(sys.argv[1]).read_bytes())
    if sys.argv[2] == "public":
        print(json.dumps(dict(held.public.jwk)))
    else:
        sys.stdout.buffer.write(held.sign(sys.stdin.buffer.read()))
