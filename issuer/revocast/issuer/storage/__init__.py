"""The authority's database. What is acknowledged is in it."""

from revocast.issuer.storage.engine import Storage

__all__ = ["Storage"]
