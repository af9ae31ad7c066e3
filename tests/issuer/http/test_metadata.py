"""What anyone may read."""

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from revocast.issuer.oauth.metadata import metadata
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import Envelope
from revocast.schemas.jose import thumbprint
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.issuer.http.authority import ISSUER, Authority


async def test_the_metadata_is_rfc_8414_and_its_endpoints_exist(authority: Authority) -> None:
    document = (await authority.http.get("/.well-known/oauth-authorization-server")).json()
    assert document["issuer"] == ISSUER
    # An empty list is the truth as long as there is no authorization endpoint; Authlib's check wants one response type.
    AuthorizationServerMetadata({**document, "response_types_supported": ["code"]}).validate()
    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
        assert (await authority.http.post(document[name])).status_code == 400, name
    for name in ("jwks_uri", "service_documentation"):
        assert (await authority.http.get(document[name])).status_code == 200, name


def test_an_issuer_with_a_path_has_its_endpoints_under_it() -> None:
    assert metadata("https://example.com/auth")["token_endpoint"] == "https://example.com/auth/oauth/token"


async def test_key_documents_may_be_cached_for_a_minute(authority: Authority) -> None:
    for path in ("/.well-known/jwks.json", "/.well-known/revocast"):
        assert (await authority.http.get(path)).headers["Cache-Control"] == "public, max-age=60"


async def test_the_key_set_holds_public_keys_only(authority: Authority) -> None:
    for jwk in (await authority.http.get("/.well-known/jwks.json")).json()["keys"]:
        assert jwk.keys() <= {"kid", "kty", "alg", "use", "crv", "x", "y", "n", "e"}


async def test_a_revoked_key_leaves_the_key_set(authority: Authority) -> None:
    (key,) = (await authority.operate("GET", "/v1/keys"))["items"]
    await authority.operate("POST", f"/v1/keys/{key['kid']}/revoke", reason="leaked")
    published = (await authority.http.get("/.well-known/jwks.json")).json()["keys"]
    assert key["kid"] not in [jwk["kid"] for jwk in published]


async def test_a_guard_pins_the_root_of_the_delegation_list(authority: Authority) -> None:
    compact = (await authority.http.get("/.well-known/revocast")).content
    roots = DelegationList.from_event(Envelope.parse(compact).event()).roots
    root = (await authority.operate("GET", "/v1/status"))["root"]
    assert thumbprint(roots.first) == root
    trust = Trust(ISSUER, root)
    (verdict,) = trust.receive(compact, offset=0)
    assert verdict.outcome is Outcome.APPLIED
