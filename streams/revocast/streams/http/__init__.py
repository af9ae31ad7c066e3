"""The HTTP face of a worker."""

from revocast.streams.http.api import build_api
from revocast.streams.http.status import Served

__all__ = ["Served", "build_api"]
