"""Trust over the operator API: the state for the root's holder, new event keys, signed lists; and an issuer without its root."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from revocast.issuer.app import create_app
from revocast.issuer.bootstrap import OPERATOR_SCOPES, Home, Plan, Root, init, take_list
from revocast.issuer.errors import Conflict, InvalidRequest, NotInitialized
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.reminders import remind_daily
from revocast.issuer.root_key import public_root
from revocast.issuer.settings import IssuerSettings
from revocast.issuer.storage import Storage
from revocast.schemas.delegating import InForce, first_list
from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.jose import PrivateKey, PublicKey
from tests.issuer.core.reader import until
from tests.issuer.http.authority import ISSUER, Authority

START = 1_800_000_000.0
DAY = 86_400


def root_of(home: Path) -> PrivateKey:
    return PrivateKey.from_pem(Home(home).root.read_bytes())


async def in_force(authority: Authority) -> InForce:
    trust = await authority.operate("GET", "/v1/trust")
    return InForce.read(trust["list"].encode())


async def bring(authority: Authority, listed: DelegationList, root: PrivateKey) -> Any:
    body = {"list": listed.signed(ISSUER, root).decode()}
    return await authority.call("POST", "/v1/delegations", json=body)


@pytest.fixture
def root(authority: Authority, tmp_path: Path) -> PrivateKey:
    """The root key that `init` left in the folder."""
    return root_of(tmp_path / "home")


async def test_the_state_holds_what_the_next_list_is_made_of(authority: Authority, root: PrivateKey) -> None:
    trust = await authority.operate("GET", "/v1/trust")
    listed = (await in_force(authority)).listed
    assert (trust["issuer"], trust["root"], trust["version"], trust["epoch"]) == (ISSUER, root.kid, 1, 1)
    assert (trust["n"], trust["expires_at"], trust["reissuing"]) == (1, listed.expires_at, False)
    event, snapshot = trust["keys"]
    assert (event["role"], event["state"], event["bound"]) == ("event", "active", None)
    assert event["last"] == {"epoch": 1, "n": 1}
    assert (snapshot["role"], snapshot["state"], snapshot["last"]) == ("snapshot", "delegated", None)
    assert {key["kid"] for key in trust["keys"]} == {key.public.kid for key in listed.keys}
    assert all(PublicKey.from_jwk(key["jwk"]).kid == key["kid"] for key in trust["keys"])


async def test_an_event_key_is_made_delegated_and_retired(authority: Authority, root: PrivateKey) -> None:
    made = await authority.call("POST", "/v1/event-keys", json={"alg": "ES256"})
    assert (made.status_code, made.json()["alg"]) == (201, "ES256")
    key = made.json()
    assert not {"d", "p", "q"} & set(key["jwk"]), "its private half stays"
    now = (await in_force(authority)).listed.t
    answer = await bring(
        authority, (await in_force(authority)).delegated([(key["jwk"], Role.EVENT)], now, 365), root
    )
    assert (answer.status_code, answer.json()) == (
        200,
        {"version": 2, "epoch": 1, "active": key["kid"], "status": "pending"},
    )
    states = {each["kid"]: each for each in (await authority.operate("GET", "/v1/trust"))["keys"]}
    assert states[key["kid"]]["state"] == "active"
    status = await authority.operate("GET", "/v1/status")
    assert (status["delegations_version"], status["epoch"]) == (2, 1)


async def test_a_compromise_is_answered_by_a_new_epoch(authority: Authority, root: PrivateKey) -> None:
    await authority.operate(
        "POST", "/v1/revocations", selector={"kind": "subject", "values": ["bob"]}, slot="block"
    )
    table = (await authority.operate("GET", "/v1/status"))["table"]
    key = await authority.operate("POST", "/v1/event-keys")
    before = await in_force(authority)
    stolen = next(each.public.kid for each in before.listed.keys if each.role is Role.EVENT)
    listed = before.new_epoch(before.listed.t, 365, without=[stolen], jwks=[(key["jwk"], Role.EVENT)])
    assert (await bring(authority, listed, root)).json()["epoch"] == 2
    status = await authority.operate("GET", "/v1/status")
    assert (status["epoch"], status["n"], status["table"]) == (2, 1, table)
    (row,) = (await authority.operate("GET", "/v1/revocations"))["items"]
    assert (row["epoch"], row["n"], row["actor"]) == (1, 2, "client:operator")


@pytest.mark.parametrize(
    "body", [{}, {"list": 1}, {"list": ""}, {"list": "a.b"}, {"list": "a.b.c", "more": 1}]
)
async def test_a_body_that_is_no_list_names_the_field(authority: Authority, body: dict[str, Any]) -> None:
    answer = await authority.call("POST", "/v1/delegations", json=body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] in ("list", "more")


async def test_a_list_that_cannot_be_adopted_says_why(authority: Authority, root: PrivateKey) -> None:
    listed = (await in_force(authority)).renewed((await in_force(authority)).listed.t)
    answer = await bring(authority, listed, PrivateKey.generate())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": "list", "detail": "the list is not signed by its last root"}]
    assert (await bring(authority, listed, root)).status_code == 200
    again = await bring(authority, listed, root)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert "version 2" in again.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/trust"), ("POST", "/v1/event-keys"), ("POST", "/v1/delegations")]
)
async def test_only_who_may_change_trust_gets_there(authority: Authority, method: str, path: str) -> None:
    others = " ".join(scope for scope in OPERATOR_SCOPES if scope != "revocast:trust")
    token = await authority.token(scope=others, resource=ISSUER)
    answer = await authority.call(method, path, token, **({"json": {}} if method == "POST" else {}))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


async def test_an_issuer_that_its_root_distrusts_hands_out_no_token_and_is_not_ready(
    authority: Authority, root: PrivateKey
) -> None:
    token = await authority.token()
    before = await in_force(authority)
    listed = before.distrusting([], before.listed.t, 365, issuer=True)
    assert (await bring(authority, listed, root)).status_code == 200
    answer = await authority.ask_token(authority.operator)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "the root distrusts this issuer" in answer.json()["error_description"]
    ready = await authority.http.get("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "no_signing_key")
    assert (await authority.call("GET", "/v1/status", token)).status_code == 401
    introspected = await authority.http.post(
        "/oauth/introspect", auth=authority.operator, data={"token": token}
    )
    assert introspected.json() == {"active": False}


async def test_what_status_warns_about_is_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    init(Home(tmp_path / "home"), Plan(ISSUER), clock=lambda: START)
    authority = Authority(tmp_path / "home", clock=lambda: START + 330 * DAY)

    def warned() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == remind_daily.__module__]

    async with authority.app.router.lifespan_context(authority.app):
        await until(lambda: bool(warned()), "it is said")
    (record,) = warned()
    assert "expires in 35 days" in record.getMessage() and record.levelno == logging.WARNING


# -- an issuer whose host never sees the root --------------------------------------------------------------------------


def serve(home: Path) -> None:
    create_app(IssuerSettings.from_env({}, kafka="127.0.0.1:9", home=home, relay=False))


def test_an_authority_without_its_root_waits_for_the_first_list_and_says_so(tmp_path: Path) -> None:
    home, root = Home(tmp_path / "home"), PrivateKey.generate("ES256")
    terms = init(home, Plan(ISSUER), root=Root(root.public))
    assert terms.root == root.kid and not home.root.exists()
    with pytest.raises(NotInitialized, match="revocast init --list"):
        serve(home.folder)
    request = json.loads(home.request.read_text())
    assert (request["issuer"], request["root"], request["list"], request["version"]) == (
        ISSUER,
        root.kid,
        None,
        0,
    )
    keys = [(key["jwk"], Role(key["role"])) for key in request["keys"]]
    listed = first_list(root.public, keys, terms.lifetimes[0].since + 1_800_000_000)
    keystore = SealedKeys.from_file(home.master_key)
    stranger = PrivateKey.generate()
    forged = first_list(stranger.public, keys, listed.t).signed(ISSUER, stranger)
    with pytest.raises(InvalidRequest, match="pinned root"):
        take_list(home.database_url, keystore, forged)
    adopted = take_list(home.database_url, keystore, listed.signed(ISSUER, root))
    assert (adopted.version, adopted.epoch, adopted.receipt.n) == (1, 1, 1)
    serve(home.folder)
    with pytest.raises(Conflict, match="not newer"):
        take_list(home.database_url, keystore, listed.signed(ISSUER, root))


def test_a_root_that_exists_signs_the_first_list_and_is_written_nowhere(tmp_path: Path) -> None:
    home, root = Home(tmp_path / "home"), PrivateKey.generate()
    assert init(home, Plan(ISSUER), root=Root(root.public, root)).root == root.kid
    assert not home.root.exists() and not home.request.exists()
    serve(home.folder)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (PrivateKey.generate().pem().decode(), "JSON"),
        ("[]", "not a public JWK"),
        ('{"kty": "OKP", "crv": "Ed25519", "x": "AA"}', "jwk"),
        (f'{{"kty": "OKP", "crv": "Ed25519", "x": "{"A" * 43}", "d": "{"A" * 43}"}}', "private"),
    ],
)
def test_a_file_that_is_no_public_root_is_refused_by_name(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "root.json"
    path.write_text(content)
    with pytest.raises(InvalidRequest, match=f"root.json.*{named}"):
        public_root(path)


def test_a_public_root_goes_by_its_thumbprint_whatever_the_file_calls_it(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    path = tmp_path / "root.json"
    path.write_text(json.dumps({**key.public.jwk, "kid": "our root"}))
    root = public_root(path)
    assert root.thumbprint == root.public.kid == key.kid


def test_a_database_of_the_first_release_gets_epochs_and_its_operator_the_new_scope(tmp_path: Path) -> None:
    """Schema 0001, as it was: what `init` wrote then, as far as the migration looks at it."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = Config()
    config.set_main_option("script_location", "revocast.issuer.storage:migrations")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO deployment (id, issuer, root, salt, leeway, claims, lifetimes, announce_seconds, token_lifetime)"
                " VALUES (1, 'https://old.example', 'root', x'00', 30, '[]', '[]', 60, 600)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO client (client_id, name, secret_hash, access, introspects, created_at, disabled) VALUES"
                " ('operator', '', '', '{\"https://old.example\": [\"revocast:read\"]}', '[]', 0, 0)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO resource_server (audience, name, scopes, created_at) VALUES"
                " ('https://old.example', '', '[\"revocast:read\"]', 0)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO head (id, epoch, n, hash, t, delegations, key_set) VALUES (1, 1, 9, x'00', 5, 1, 1)"
            )
        )
    engine.dispose()
    storage = Storage(url)
    storage.migrate()
    with storage.read() as session:
        assert session.execute(text("SELECT live_set_n, reissued FROM head")).one() == (1, None)
        assert session.scalar(text("SELECT distrusted FROM deployment")) == 0
        access = json.loads(session.scalar(text("SELECT access FROM client")) or "")
        scopes = json.loads(session.scalar(text("SELECT scopes FROM resource_server")) or "")
    storage.close()
    assert access == {"https://old.example": ["revocast:read", "revocast:revoke-many", "revocast:trust"]}
    assert scopes == ["revocast:read", "revocast:revoke-many", "revocast:trust"]
