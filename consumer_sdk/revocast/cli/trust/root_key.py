"""The root key: opened behind its URI, or made and written once. Nothing here shows any of it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from revocast.cli.errors import Misused
from revocast.schemas.errors import SchemaError, SettingsError
from revocast.schemas.jose import PrivateKey, PublicKey
from revocast.schemas.signer import Signer
from revocast.schemas.signer_uri import RootKeySettings, is_encrypted, signer_of

__all__ = ["Encrypt", "NewKeyFile", "RootKey", "open_root"]

RootKey = Annotated[
    str,
    typer.Option(
        "--root-key",
        envvar="REVOCAST_ROOT_KEY",
        metavar="URI",
        help="/path/root.pem, file:///path/root.pem, or the scheme of an installed signer.",
    ),
]
Encrypt = Annotated[
    bool, typer.Option("--encrypt", help="Write the new key under a pass phrase, which is asked for twice.")
]


def open_root(uri: str) -> tuple[Signer, PublicKey]:
    """The root's signer. Asks for the pass phrase if its file has one. Raises `Misused`."""
    try:
        return signer_of(uri, _password(uri) if is_encrypted(uri) else None)
    except SchemaError as error:
        raise Misused(str(error)) from None


@dataclass(frozen=True)
class NewKeyFile:
    """A key that was made and is not written yet: first its holder must agree."""

    path: Path
    key: PrivateKey
    password: bytes | None

    @classmethod
    def make(cls, path: Path, alg: str, *, encrypt: bool) -> "NewKeyFile":
        """Raises `Misused` when something is there already."""
        if path.exists():
            raise Misused(f"{path} exists already", "A key is never overwritten: give another path.")
        return cls(path, PrivateKey.generate(alg), _new_password(path) if encrypt else None)

    def write(self) -> None:
        """Write it, for its owner's eyes only. Raises `Misused`."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.key.pem(self.password))
                file.flush()
                os.fsync(file.fileno())
            # The folder's entry, too: the list that this key signs may be out before the next sync.
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Misused(f"{self.path}: cannot be written: {error.strerror}") from None


def _password(uri: str) -> bytes:
    if given := _settings().root_password:
        return given.get_secret_value().encode()
    return _asked(f"Pass phrase of {uri}", "REVOCAST_ROOT_PASSWORD_FILE")


def _new_password(path: Path) -> bytes:
    given = _settings().new_root_password
    password = (
        given.get_secret_value().encode()
        if given
        else _asked(f"New pass phrase for {path}", "REVOCAST_NEW_ROOT_PASSWORD_FILE", twice=True)
    )
    if not password:
        raise Misused("an empty pass phrase protects nothing")
    return password


def _asked(question: str, variable: str, *, twice: bool = False) -> bytes:
    if not sys.stdin.isatty():
        raise Misused(f"{question}: there is no terminal to ask", f"Set {variable} to a file that holds it.")
    answer: str = typer.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
    return answer.encode()


def _settings() -> RootKeySettings:
    try:
        return RootKeySettings.from_env()
    except SettingsError as error:
        raise Misused(str(error)) from None
