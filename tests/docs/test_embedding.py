"""The Python that README and docs/embedding.md show does what they say."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import revocast.sdk
from revocast.sdk import RevocastError, errors
from revocast.testing import Authority, InMemoryGuard
from tests.sdk.serving import serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EMBEDDING = (ROOT / "docs/embedding.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")


def run_blocks(text: str) -> dict[str, Any]:
    """Run a page's blocks one after another, as one module; what it then defines."""
    module: dict[str, Any] = {"__name__": "shown"}
    for block in PYTHON.findall(text):
        exec(compile(block, "shown", "exec"), module)  # noqa: S102  # the pages are our own
    return module


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    return run_blocks(EMBEDDING)


def test_the_readme_s_service_answers(
    monkeypatch: pytest.MonkeyPatch, revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    asked: dict[str, str] = {}

    def make_guard(**given: str) -> InMemoryGuard:
        asked.update(given)
        return revocast_guard

    monkeypatch.setattr(revocast.sdk, "Guard", make_guard)
    app = run_blocks(README)["app"]
    assert asked.keys() == {"issuer", "audience", "kafka"}
    token = revocast_authority.mint(scope="read")
    with serving(app) as url, httpx.Client(base_url=url) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get("/orders").json() == {"orders of": "alice"}
        revocast_authority.revoke(token)
        assert client.get("/orders").status_code == 401
        assert client.get("/orders", headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize(
    "name", ["test_a_signed_out_user_is_refused", "test_a_service_that_cannot_know_says_so"]
)
def test_the_tests_that_are_shown_pass(
    name: str, shown: dict[str, Any], revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    shown[name](revocast_authority, revocast_guard)


def test_the_middleware_that_is_shown_protects(
    shown: dict[str, Any], revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    app = shown["protected"](shown["make_app"](revocast_guard), revocast_guard)
    with serving(app) as url, httpx.Client(base_url=url) as client:
        assert client.get("/healthz").json()["ready"]
        assert client.get("/orders").status_code == 401
        token = revocast_authority.mint(scope="read")
        assert client.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_without_an_event_loop(
    shown: dict[str, Any], revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    assert shown["work"](revocast_guard, revocast_authority.mint(scope="read")) == "alice"
    assert shown["work"](revocast_guard, "no token") == "token_malformed"
    shown["watch"](revocast_guard)


def test_the_table_of_errors_is_the_code_s() -> None:
    table = dict(re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", EMBEDDING, re.MULTILINE))
    raised = [getattr(errors, name) for name in errors.__all__]
    leaves = [kind for kind in raised if not kind.__subclasses__()]
    assert all(issubclass(kind, RevocastError) for kind in leaves)
    assert table == {kind.code: str(kind.status) for kind in leaves}
