"""HTTPS settings: of the servers, and of whoever calls them."""

import ssl
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from revocast.schemas.errors import SettingsError
from revocast.schemas.settings import Settings
from revocast.schemas.tls import client_context, server_context

__all__ = ["HttpsCallerSettings", "HttpsServerSettings"]

_PAIR = "REVOCAST_TLS_CERTIFICATE and REVOCAST_TLS_KEY"


class HttpsServerSettings(Settings):
    """With a certificate and its key a server speaks HTTPS; with neither, HTTP."""

    tls_certificate: Path | None = Field(
        None,
        description="PEM file of the server's certificate with its chain; with it the server speaks HTTPS",
    )
    tls_key: Path | None = Field(
        None, description="PEM file of the certificate's private key, without pass phrase"
    )

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "CERTIFICATE" if self.tls_key else "KEY"
            raise SettingsError(f"REVOCAST_TLS_{missing}: is missing; a certificate and its key go together")
        if self.tls_certificate and self.tls_key:
            server_context(self.tls_certificate, self.tls_key, _PAIR)  # a wrong one is found at the start
        return self

    @property
    def scheme(self) -> str:
        """`https` or `http`."""
        return "https" if self.tls_certificate else "http"

    def server_options(self) -> dict[str, Any]:
        """Keyword arguments for uvicorn."""
        certificate, key = self.tls_certificate, self.tls_key
        if certificate is None or key is None:
            return {}
        return {"ssl_context_factory": lambda *_: server_context(certificate, key, _PAIR)}


class HttpsCallerSettings(Settings):
    """Whom a caller believes to be the server."""

    tls_ca: Path | None = Field(
        None,
        description="PEM file of the authorities that may sign an HTTPS server's certificate; default: the system's",
    )

    @model_validator(mode="after")
    def _authorities_can_be_read(self) -> Self:
        if self.tls_ca:
            self.caller_context()
        return self

    def caller_context(self) -> ssl.SSLContext:
        """The TLS context of every HTTPS client. Raises `SettingsError`."""
        return client_context(self.tls_ca, "REVOCAST_TLS_CA")
