"""The issuer's OpenAPI document, from the application that is served."""

import json
import tempfile
from pathlib import Path

from revocast.issuer.app import create_app
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.settings import IssuerSettings

__all__ = ["issuer_openapi"]


def issuer_openapi() -> str:
    """`docs/reference/issuer-openapi.json`."""
    with tempfile.TemporaryDirectory() as home:
        init(Home(Path(home)), Plan(issuer="https://issuer.example"))
        app = create_app(IssuerSettings.from_env({}, kafka="unused:9092", home=Path(home)))
        return json.dumps(app.openapi(), indent=2, sort_keys=True) + "\n"
