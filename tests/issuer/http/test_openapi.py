"""The API's own description: `/docs` is what an integrator reads first."""

from typing import Any

from revocast.issuer.bootstrap import OPERATOR_SCOPES
from revocast.issuer.operators.scopes import Scope
from tests.issuer.http.authority import Authority


async def document(authority: Authority) -> dict[str, Any]:
    described: dict[str, Any] = (await authority.http.get("/openapi.json")).json()
    return described


async def test_every_operation_says_what_it_does_and_which_scope_it_needs(authority: Authority) -> None:
    described = await document(authority)
    names = set()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            names.add(operation["operationId"])
            if path.startswith("/v1/"):
                ((scheme, scopes),) = [item for entry in operation["security"] for item in entry.items()]
                assert scheme == "operator"
                assert set(scopes) < set(Scope)
                assert "application/problem+json" in operation["responses"]["422"]["content"], path
    assert len(names) == sum(map(len, described["paths"].values()))


async def test_one_can_log_in_from_the_documentation(authority: Authority) -> None:
    schemes = (await document(authority))["components"]["securitySchemes"]
    flow = schemes["operator"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/oauth/token"
    assert set(flow["scopes"]) == set(Scope)
    assert schemes["client_secret_basic"] == {"type": "http", "scheme": "basic"}
    assert (await authority.http.get("/docs")).status_code == 200


async def test_every_member_of_a_request_is_described_or_shown_by_example(authority: Authority) -> None:
    schemas = (await document(authority))["components"]["schemas"]
    bare = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        if name.endswith("Request")
        for member, described in schema.get("properties", {}).items()
        if not (described.get("description") or described.get("examples") or "$ref" in str(described))
    ]
    assert bare == []


def test_the_first_operator_has_every_scope() -> None:
    assert set(OPERATOR_SCOPES) == set(Scope)
    assert all(scope.description for scope in Scope)
