"""The one error tree of the wire contracts. Messages name the field that is wrong and never hold a key or a token."""

__all__ = [
    "ClaimUndeclared",
    "JoseError",
    "MalformedEvent",
    "MalformedRow",
    "SchemaError",
    "SettingsError",
    "SignerError",
]


class SchemaError(ValueError):
    """Something does not follow a contract; `code` is stable, the text is for people."""

    code = "malformed"


class MalformedRow(SchemaError):
    """Bytes or fields that are not a row."""

    code = "malformed_row"


class ClaimUndeclared(SchemaError):
    """A selector names a claim that the signed key set does not declare."""

    code = "claim_undeclared"


class JoseError(SchemaError):
    """Not a strict JWS, JWK or JSON text."""

    code = "malformed_jws"


class MalformedEvent(SchemaError):
    """A Security Event Token of ours whose content breaks its contract."""

    code = "malformed_event"


class SettingsError(SchemaError):
    """An environment variable is missing or wrong; the text names it."""

    code = "settings"


class SignerError(SchemaError):
    """A key to sign with cannot be used; the text names its file or scheme, and holds nothing of it."""

    code = "signer"
