"""The root key as `revocast init` is given it: a signer behind a URI, or its public half alone. Nothing here shows any of it."""

import sys
from pathlib import Path
from typing import Final

import typer

from revocast.issuer.bootstrap import Root
from revocast.issuer.errors import InvalidRequest
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import PublicKey, parse_json, thumbprint
from revocast.schemas.signer_uri import RootKeySettings, is_encrypted, signer_of

__all__ = ["public_root", "root_behind"]

_MAX_BYTES: Final = 64 * 1024


def root_behind(uri: str) -> Root:
    """The root that `uri` names. Asks for the pass phrase if its file has one. Raises `SignerError`, `InvalidRequest`."""
    signer, public = signer_of(uri, _password(uri) if is_encrypted(uri) else None)
    return Root(public, signer)


def public_root(path: Path) -> Root:
    """The root of which `path` holds the public JWK. Raises `InvalidRequest`."""
    try:
        with path.open("rb") as file:
            jwk = parse_json(file.read(_MAX_BYTES))
        if not isinstance(jwk, dict):
            raise InvalidRequest(f"{path}: is not a public JWK")
        # Who signs is named by the thumbprint, whatever the file calls it.
        public = PublicKey.from_jwk({**jwk, "kid": "root"})
        return Root(PublicKey.from_jwk({**jwk, "kid": thumbprint(public.jwk)}))
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    except SchemaError as error:
        raise InvalidRequest(f"{path}: {error}") from None


def _password(uri: str) -> bytes:
    given = RootKeySettings.from_env().root_password
    if given is not None:
        return given.get_secret_value().encode()
    if not sys.stdin.isatty():
        raise InvalidRequest(
            f"{uri}: has a pass phrase; set REVOCAST_ROOT_PASSWORD_FILE to a file that holds it"
        )
    answer: str = typer.prompt(f"Pass phrase of {uri}", hide_input=True, err=True)
    return answer.encode()
