"""JWK Sets as foreign issuers serve them."""

import json
from typing import Any

from revocast.schemas.jose import PrivateKey
from revocast.sdk.jwks.document import Document, read_document


def jwk_set(*keys: PrivateKey | dict[str, Any]) -> bytes:
    """The body: keys of ours, or JWKs as they are."""
    return json.dumps(
        {"keys": [dict(key.public.jwk) if isinstance(key, PrivateKey) else key for key in keys]}
    ).encode()


def document(*keys: PrivateKey) -> Document:
    """The set, read."""
    return read_document(jwk_set(*keys))
