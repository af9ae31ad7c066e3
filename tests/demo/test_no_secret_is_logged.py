"""The whole demo at debug level: no log of any process holds a token, a key or a secret that was used."""

import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from sqlalchemy import select

from revocast.dev.demo.deployment import SERVICES
from revocast.dev.demo.play import play, set_stage, start
from revocast.dev.demo.report import Report
from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.storage import Storage
from revocast.issuer.storage.tables import SigningKey
from revocast.schemas.jose import PrivateKey, b64u

_PART = 20
"""Characters of a secret that, found in a log, are too many to be there by chance."""


class _Answers:
    """What the issuer answered to the demo: the tokens and the client secrets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secrets: set[str] = set()
        send = httpx.Client.send

        def recording(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            answer = send(client, request, **options)
            if "json" in answer.headers.get("content-type", ""):
                body = answer.json()
                found = body if isinstance(body, Mapping) else {}
                self.secrets |= {found[name] for name in ("access_token", "client_secret") if found.get(name)}
            return answer

        monkeypatch.setattr(httpx.Client, "send", recording)

    @property
    def tokens(self) -> set[str]:
        return {secret for secret in self.secrets if secret.count(".") == 2}


@pytest.mark.timeout(240)
def test_no_log_of_the_demo_at_debug_level_holds_a_token_a_key_or_a_secret(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REVOCAST_KAFKA", kafka)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    answers, report, kept = _Answers(monkeypatch), Report(SERVICES), tmp_path / "logs"
    kept.mkdir()
    with ExitStack() as stack:
        deployment = start(stack, report, log_level="debug")
        play(set_stage(stack, deployment, report, samples=1))
        secrets = {*answers.secrets, *_secrets_at_rest(deployment.home)}
        for log in next(tmp_path.glob("revocast-demo-*")).glob("*.log"):
            (kept / log.name).hardlink_to(log)  # what they write at their end is read, too
    assert not report.failed
    assert len(answers.tokens) > len(SERVICES)
    logs = {log.stem: log.read_text(errors="replace") for log in kept.iterdir()}
    assert {"issuer", "streams", *SERVICES} <= logs.keys()
    assert all(re.search(r"\bDEBUG\b", logs[name]) for name in ("issuer", "streams", *SERVICES))
    logs["demo"] = caplog.text
    for name, text in logs.items():
        found = [part for secret in secrets for part in _parts(secret) if part in text]
        assert not found, f"the log of {name} holds {len(found)} parts of secrets"


def _parts(secret: str) -> Iterator[str]:
    # The header of a token says which key signed it, and is no secret.
    pieces = secret.split(".")[1:] if secret.count(".") == 2 else [secret]
    return (piece[:_PART] for piece in pieces)


def _secrets_at_rest(home_folder: Path) -> set[str]:
    home = Home(home_folder)
    found = {home.master_key.read_text().strip(), json.loads(home.operator.read_text())["client_secret"]}
    for pem in (home.root, home.snapshot_key):
        found |= _private_parts(PrivateKey.from_pem(pem.read_bytes()))
    storage, keystore = Storage(home.database_url), SealedKeys.from_file(home.master_key)
    with storage.read() as session:
        keys = session.scalars(select(SigningKey)).all()
        assert len(keys) > 2
        for key in keys:
            signer = keystore.signer(key.kid, key.handle)
            assert isinstance(signer, PrivateKey)
            found |= _private_parts(signer)
    storage.close()
    return found


def _private_parts(key: PrivateKey) -> set[str]:
    """The key as anybody might write it: the PEM's last line, which holds the secret, and the number itself."""
    loaded = serialization.load_pem_private_key(key.pem(), password=None)
    der = loaded.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret = der[-32:] if key.alg == "EdDSA" else der[36:68]
    return {key.pem().decode().splitlines()[-2][-_PART:], b64u(secret), secret.hex(), repr(secret)[2:-1]}


def test_the_parts_that_are_looked_for_are_the_secret_ones() -> None:
    for alg in ("EdDSA", "ES256"):
        key = PrivateKey.generate(alg)
        loaded: Any = serialization.load_pem_private_key(key.pem(), password=None)
        number = (
            loaded.private_bytes_raw()
            if alg == "EdDSA"
            else loaded.private_numbers().private_value.to_bytes(32, "big")
        )
        assert number.hex() in _private_parts(key)
