"""A signer behind a URI: a key in a file, in a KMS, in an HSM or behind another program; who signs with it need not know which.

* `/path/root.pem` and `file:///path/root.pem`: a PKCS #8 PEM, encrypted or not, that nobody but its owner may read.
* `<scheme>:…`: what an installed distribution offers for the scheme in the entry-point group `revocast.signers`:

      [project.entry-points."revocast.signers"]
      hsm = "example_hsm:signer"

  The entry is named by the scheme. It is called with the whole URI and answers a `KeyHolder`, whose `kid` is the key's
  RFC 7638 thumbprint. If it needs a PIN, it asks for it itself.
"""

import os
import re
from importlib.metadata import entry_points
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from revocast.schemas.errors import SchemaError, SignerError
from revocast.schemas.jose import PrivateKey, PublicKey, same_algorithm, thumbprint
from revocast.schemas.settings import Settings
from revocast.schemas.signer import Signer

__all__ = ["GROUP", "KeyHolder", "RootKeySettings", "is_encrypted", "signer_of"]

GROUP: Final = "revocast.signers"

# RFC 3986 §3.1, but two characters at least: `C:` is a drive.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_MAX_PEM_BYTES: Final = 64 * 1024


class RootKeySettings(Settings):
    """Pass phrases of the root key's files, for scripts; people are asked."""

    root_password: SecretStr | None = Field(None, description="pass phrase of the root key's file")
    new_root_password: SecretStr | None = Field(
        None, description="pass phrase under which --encrypt writes a new key's file"
    )


class KeyHolder(Signer, Protocol):
    """What the entry of a scheme answers: a signer that knows its public key."""

    @property
    def public(self) -> PublicKey:
        """The public half."""
        ...


def signer_of(uri: str, password: bytes | None = None) -> tuple[Signer, PublicKey]:
    """The signer that `uri` names, and its public key; `password` opens an encrypted file. Raises `SignerError`."""
    path = _path_of(uri)
    if path is None:
        return _installed(uri)
    pem = _read(path)
    if _ENCRYPTED in pem and password is None:
        raise SignerError(f"{path}: is encrypted, and no pass phrase was given")
    try:
        # A pass phrase for a file that has none is no error: one variable may serve for several keys.
        key = PrivateKey.from_pem(pem, password=password if _ENCRYPTED in pem else None)
    except SchemaError as error:
        raise SignerError(f"{path}: {error}") from None
    return key, key.public


def is_encrypted(uri: str) -> bool:
    """Whether `uri` names a file that needs a pass phrase. Raises `SignerError`."""
    path = _path_of(uri)
    return path is not None and _ENCRYPTED in _read(path)


def _path_of(uri: str) -> Path | None:
    found = _SCHEME.match(uri)
    if found is None:
        return Path(uri)
    if found[1].lower() != "file":
        return None
    split = urlsplit(uri)
    if split.netloc not in ("", "localhost") or split.query or split.fragment:
        raise SignerError(f"{uri}: must be file:///path, on this host")
    return Path(unquote(split.path))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (S_IRWXG | S_IRWXO):
                raise SignerError(f"{path}: others than its owner may read it; run: chmod 600 {path}")
            return file.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise SignerError(f"{path}: cannot be read: {error.strerror}") from None


def _installed(uri: str) -> tuple[Signer, PublicKey]:
    scheme = uri.partition(":")[0].lower()
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if scheme not in found:
        known = ", ".join(["file", *sorted(found)])
        raise SignerError(
            f"{scheme}: no signer of this scheme is installed; installed: {known}. A path begins with / or ./"
        )
    try:
        holder: KeyHolder = found[scheme].load()(uri)
        signer, public = holder, holder.public
        if signer.kid != public.kid or public.kid != thumbprint(public.jwk):
            raise SignerError("kid: is not the thumbprint of the public key (RFC 7638)")
        if not same_algorithm(signer.alg, public.alg):
            raise SignerError("alg: is not the algorithm of the public key")
    except Exception as error:  # whatever a foreign signer raises becomes one sentence that names it
        raise SignerError(f"{scheme}: {str(error) or type(error).__name__}") from None
    return signer, public
