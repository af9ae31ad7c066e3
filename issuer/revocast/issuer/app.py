"""The composition root: builds the authority and its relay from settings, and serves them over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from revocast.issuer.access_log import AccessLog
from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.denials import Denials
from revocast.issuer.health import health_routes
from revocast.issuer.oauth.metadata import metadata_routes
from revocast.issuer.oauth.routes import oauth_routes
from revocast.issuer.oauth.server import AuthorizationServer, handle_oauth_errors
from revocast.issuer.opening import opened
from revocast.issuer.operators.budget import Budgets
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import OperatorGuard
from revocast.issuer.operators.problem import describe_problems, handle_problems
from revocast.issuer.operators.routes import operator_routes
from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay, UpkeepRules
from revocast.issuer.reminders import remind_daily
from revocast.issuer.response_headers import ResponseHeaders
from revocast.issuer.service import Service
from revocast.issuer.settings import IssuerSettings

__all__ = ["create_app"]

_DESCRIPTION = """
Revoke once, and every service in the fleet refuses the token within milliseconds.

* **OAuth 2.0**: clients get RFC 9068 access tokens, and revoke and introspect their own.
* **Operators** revoke, lift and look up under `/v1`, with an access token whose audience is this issuer.
  Press *Authorize* with an operator's client id and secret to try it here.
* Errors under `/v1` are RFC 9457 problem details with a stable `code`; under `/oauth` they follow RFC 6749 §5.2.
"""
_MAX_BODY_BYTES = 256 * 1024


def _rules(settings: IssuerSettings) -> UpkeepRules:
    return UpkeepRules(CutRule(settings.cut_records, settings.cut_seconds), settings.log_age)


def create_app(settings: IssuerSettings, clock: Clock = wall_clock) -> FastAPI:
    """The issuer as an ASGI application. Raises `NotInitialized` or `StorageUnavailable`, saying what to do."""
    storage, keystore = opened(settings)
    publication = Publication()
    service = Service(storage, keystore, publication, clock)
    relay = (
        Relay(storage, keystore, publication, settings, clock, _rules(settings)) if settings.relay else None
    )
    denials = Denials(service, clock)
    context = Context(
        service,
        OperatorGuard(service, denials, Budgets.of(settings.operator_writes, settings.operator_rows, clock)),
        settings.publish_timeout,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        reminders = asyncio.create_task(remind_daily(service), name="revocast-reminders")
        if relay is not None:
            await relay.start()
        try:
            yield
        finally:
            reminders.cancel()
            if relay is not None:
                await relay.stop()
            storage.close()

    app = FastAPI(
        title="Revocast issuer",
        version=version("revocast-issuer"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        middleware=[
            Middleware(AccessLog),
            Middleware(ResponseHeaders),
            Middleware(RequestBodyLimitMiddleware, max_body_size=_MAX_BODY_BYTES),
        ],
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}-{route.name}",
    )
    handle_problems(app)
    handle_oauth_errors(app)
    app.include_router(oauth_routes(AuthorizationServer(service, denials), settings.publish_timeout))
    for router in operator_routes(context):
        app.include_router(router)
    app.include_router(metadata_routes(service))
    app.include_router(health_routes(service, lambda: publication.relay))
    describe_problems(app)
    return app
