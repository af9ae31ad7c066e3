"""`revocast init`: whole, private, and never over something that exists."""

import json
import stat
from pathlib import Path

import pytest

from revocast.issuer.bootstrap import OPERATOR_SCOPES, Home, Plan, init
from revocast.issuer.errors import Conflict, InvalidRequest, NotInitialized
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.service import Service
from revocast.issuer.storage import Storage
from revocast.issuer.storage.publishing import sign_records
from revocast.issuer.storage.signing_keys import newest_document
from revocast.schemas.chain import Chain
from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.issuer.core.authority import ISSUER, Authority, T


def test_a_reader_that_pins_the_root_believes_everything_that_init_signed(authority: Authority) -> None:
    trust = Trust(ISSUER, authority.terms.root)
    assert trust.receive(authority.service.delegations(), 0)[0].outcome is Outcome.APPLIED
    assert trust.receive(authority.service.key_set(), 1)[0].outcome is Outcome.APPLIED
    with authority.storage.write() as session:
        (first,) = sign_records(session, 1, 0, 10, authority.keystore)
    chain = Chain(trust)
    assert chain.receive(first.compact, 0, 0)[0].outcome is Outcome.APPLIED
    assert chain.flaws == ()


def test_the_files_are_private_and_hold_the_keys(authority: Authority) -> None:
    home = authority.home
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    for path in home.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name
    listed = DelegationList.from_event(Envelope.parse(authority.service.delegations()).event())
    assert PrivateKey.from_pem(home.root.read_bytes()).kid == authority.terms.root
    assert listed.delegate(PrivateKey.from_pem(home.snapshot_key.read_bytes()).kid, Role.SNAPSHOT)
    assert listed.expires_at == T + 365 * 86400


def test_a_snapshot_key_that_exists_is_listed_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.pem"
    key = PrivateKey.generate("EdDSA")
    path.write_bytes(key.pem())
    path.chmod(0o600)
    home = Home(tmp_path / "home")
    init(home, Plan(ISSUER), snapshot_key=path)
    assert path.read_bytes() == key.pem() and not home.snapshot_key.exists()
    assert _listed(home).delegate(key.kid, Role.SNAPSHOT)


def test_a_snapshot_key_that_does_not_exist_is_made_where_it_was_asked_for(tmp_path: Path) -> None:
    path, home = tmp_path / "snapshot.pem", Home(tmp_path / "home")
    init(home, Plan(ISSUER), snapshot_key=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _listed(home).delegate(PrivateKey.from_pem(path.read_bytes()).kid, Role.SNAPSHOT)


def test_a_snapshot_key_that_others_may_read_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path, home = tmp_path / "snapshot.pem", Home(tmp_path / "home")
    path.write_bytes(PrivateKey.generate("EdDSA").pem())
    path.chmod(0o644)
    with pytest.raises(InvalidRequest, match="chmod 600"):
        init(home, Plan(ISSUER), snapshot_key=path)
    assert list(home.folder.iterdir()) == []


def test_the_first_operator_can_do_everything(authority: Authority) -> None:
    operator = json.loads(authority.home.operator.read_text())
    assert operator["issuer"] == ISSUER
    client = authority.service.authenticate_client(operator["client_id"], operator["client_secret"])
    assert client is not None and client.access == {ISSUER: frozenset(OPERATOR_SCOPES)}
    token = authority.service.mint(client.client_id, authority.service.operator_audience)
    assert authority.service.verify(token.token, ISSUER)["scope"].split() == sorted(OPERATOR_SCOPES)


def test_init_overwrites_nothing(authority: Authority, database: str | None, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in authority.home.folder.glob("*.[pjm]*")}
    with pytest.raises(Conflict):
        init(authority.home, Plan(ISSUER), database)
    elsewhere = Home(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        init(elsewhere, Plan(ISSUER), authority.url)
    assert list(elsewhere.folder.iterdir()) == [], "no key of an authority that does not exist is left"
    assert {path: path.read_bytes() for path in before} == before
    assert authority.service.status().n == 1


def test_a_database_without_an_authority_says_so(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path / 'empty.db'}")
    storage.migrate()
    with pytest.raises(NotInitialized, match="revocast init"):
        Service(storage, SealedKeys(bytes(32)), Publication())
    storage.close()


def _listed(home: Home) -> DelegationList:
    storage = Storage(home.database_url)
    try:
        with storage.read() as session:
            compact = newest_document(session, DelegationList.TYPE).compact
    finally:
        storage.close()
    return DelegationList.from_event(Envelope.parse(compact).event())


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"issuer": "issuer.example"}, "issuer"),
        ({"issuer": "https://issuer.example/?a=b"}, "issuer"),
        ({"issuer": ISSUER, "alg": "HS256"}, "alg"),
        ({"issuer": ISSUER, "token_lifetime": 7200}, "token_lifetime"),
        ({"issuer": ISSUER, "announce_seconds": -1}, "announce_seconds"),
    ],
)
def test_a_plan_that_cannot_be_names_its_field(plan: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        Plan(**plan)  # type: ignore[arg-type]
