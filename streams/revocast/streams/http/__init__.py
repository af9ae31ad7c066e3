"""The HTTP face of a worker."""

from revocast.streams.http.api import build_api

__all__ = ["build_api"]
