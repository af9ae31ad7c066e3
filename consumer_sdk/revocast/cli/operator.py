"""The issuer's operator API, as a client. The access token stays in memory, with no more scope than the call needs."""

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from revocast.cli.errors import CliError, Denied, Refused, Unreachable
from revocast.cli.settings import OperatorSettings

__all__ = ["Operator"]

_CONNECT_S, _ANSWER_S = 5.0, 60.0  # a write waits for Kafka before it answers
_PATIENCE_S = 10.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1: anything else would not be one header


class Operator:
    """One operator at one issuer. A context manager; keeps its connection and its tokens until closed.

    Raises `Unreachable`, `Denied` or `Refused`.
    """

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._http = httpx.Client(
            base_url=settings.issuer.rstrip("/"),
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
            headers={"User-Agent": "revocast-cli"},
            verify=settings.caller_context(),
            trust_env=not settings.is_local,  # no proxy stands between us and our own host
        )
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._tokens.clear()

    def get(self, path: str, scope: str, **query: str | int | bool | None) -> Any:
        """GET; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path, scope, params=given)

    def post(self, path: str, scope: str, body: Mapping[str, Any]) -> Any:
        """POST JSON; members that are None are left out."""
        given = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", path, scope, json=given)

    def send(
        self, path: str, scope: str, data: bytes, media_type: str, query: Mapping[str, str | int | bool]
    ) -> str:
        """POST bytes of another type than JSON; the answer's text."""
        return self._answered(
            "POST", path, scope, content=data, params=dict(query), headers={"Content-Type": media_type}
        ).text

    def _call(self, method: str, path: str, scope: str, **content: Any) -> Any:
        return _json(self._answered(method, path, scope, **content))

    def _answered(
        self, method: str, path: str, scope: str, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        token = self._tokens.get(scope) or self._fetch_token(scope)
        given = {**(headers or {}), "Authorization": f"Bearer {token}"}
        answer = self._send(method, path, headers=given, **content)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            # It has expired since, or the key that signed it was revoked: once more with a new one.
            given["Authorization"] = f"Bearer {self._fetch_token(scope)}"
            answer = self._send(method, path, headers=given, **content)
        if answer.is_success:
            return answer
        raise _error_of(answer)

    def _fetch_token(self, scope: str) -> str:
        settings = self._settings
        answer = self._send(
            "POST",
            "/oauth/token",
            auth=httpx.BasicAuth(settings.client_id, settings.client_secret.get_secret_value()),
            data={"grant_type": "client_credentials", "resource": settings.issuer, "scope": scope},
        )
        if not answer.is_success:
            raise _error_of(answer)
        token = _json(answer).get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _not_ours(answer)
        self._tokens[scope] = token
        return token

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One request; again, for a while, when the issuer says that it did nothing and can soon (RFC 9110 §15.6.4)."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._send_once(method, path, **content)
            wait = answer.headers.get("Retry-After", "")
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not wait.isdecimal():
                return answer
            if time.monotonic() + int(wait) > deadline:
                return answer
            time.sleep(int(wait))

    def _send_once(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            text = str(error) or type(error).__name__
            hint = "Is it running (`revocast serve issuer`), and is REVOCAST_ISSUER its URL? What was sent may have been done."
            if "CERTIFICATE_VERIFY_FAILED" in text:  # all that httpx lets out of OpenSSL's error
                hint = "Its certificate is not to be trusted: is REVOCAST_TLS_CA the authority that signed it? Nothing was sent."
            raise Unreachable(f"{self._settings.issuer} does not answer: {text}", hint) from None


def _json(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        raise _not_ours(answer) from None
    if not isinstance(body, dict):
        raise _not_ours(answer)
    return body


def _not_ours(answer: httpx.Response) -> Unreachable:
    return Unreachable(
        f"{answer.url} answers something else than the issuer does", "Is REVOCAST_ISSUER the issuer's URL?"
    )


def _error_of(answer: httpx.Response) -> CliError:
    """RFC 9457 problems and RFC 6749 errors, in words."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    name = body.get("code") or body.get("error") or body.get("title") or answer.reason_phrase
    detail = body.get("detail") or body.get("error_description") or ""
    text = f"{name}: {detail}" if detail else str(name)
    if name == "invalid_client":
        return Denied(text, "Check REVOCAST_CLIENT_ID and REVOCAST_CLIENT_SECRET_FILE, or operator.json.")
    if answer.status_code in (401, 403) or name in ("invalid_scope", "unauthorized_client", "invalid_target"):
        return Denied(
            text, "This operator may not do that; an operator with scope revocast:clients can change it."
        )
    if answer.status_code >= 500:
        return Unreachable(
            f"the issuer cannot do it now: {text}", "Nothing was done. Try again; see its log."
        )
    return Refused(text)
