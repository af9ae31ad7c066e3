"""`revocast init`: a new authority, its keys and its first operator.

* The root key signs the first delegation list and then belongs offline; nothing here reads it again.
* Event and token keys live in the database, sealed under the master key. The snapshot key is a file for streams.
* The first token key is active at once: nobody can hold an older key set.
* Nothing is ever overwritten. The files are written first and the database last, in one transaction: a run that fails
  removes what it wrote.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.registry import Client, ResourceServer
from revocast.issuer.authority.terms import Terms
from revocast.issuer.client_secrets import ClientSecrets
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import Conflict, InvalidRequest
from revocast.issuer.key_desk import write_key_set
from revocast.issuer.keystore import MASTER_KEY_SIZE, SealedKeys
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import save_terms
from revocast.issuer.storage.log import append
from revocast.issuer.storage.registry import add_client, add_resource_server
from revocast.issuer.storage.signing_keys import EVENT, TOKEN, add_document, add_key
from revocast.issuer.storage.tables import Deployment, Head, Publication
from revocast.schemas.delegations import Delegate, DelegationList, Role, Roots
from revocast.schemas.events import Envelope
from revocast.schemas.jose import ALGORITHMS, PrivateKey, PublicKey, b64u
from revocast.schemas.keyset import Lifetime
from revocast.schemas.record import Position
from revocast.schemas.selector import SALT_SIZE, check_claim_name

__all__ = ["OPERATOR_SCOPES", "Home", "Plan", "init"]

OPERATOR_SCOPES: Final = (
    "revocast:clients",
    "revocast:keys",
    "revocast:lift",
    "revocast:mint",
    "revocast:read",
    "revocast:revoke",
)
_OPERATOR_ID: Final = "operator"
_YEAR_S: Final = 365 * 86400
_ISSUER: Final = re.compile(r"https?://[\x21-\x7e]{1,500}")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one issuer, `REVOCAST_HOME`."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root key: move it offline after `init`."""
        return self.folder / "root.pem"

    @property
    def master_key(self) -> Path:
        """What seals the private keys in the database."""
        return self.folder / "master.key"

    @property
    def snapshot_key(self) -> Path:
        """The snapshot-signing key, for streams."""
        return self.folder / "snapshot.pem"

    @property
    def operator(self) -> Path:
        """The first operator's client id and secret, the issuer's URL, and the root to pin."""
        return self.folder / "operator.json"

    @property
    def database_url(self) -> str:
        """The default database: SQLite in this folder."""
        return f"sqlite:///{self.folder / 'revocast.db'}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new authority shall be. Times in seconds. Raises `InvalidRequest`, naming the field."""

    issuer: str
    alg: str = "ES256"
    claims: Sequence[str] = ()
    max_lifetime: int = 3600
    token_lifetime: int = 600
    leeway: int = 30
    announce_seconds: int = 60

    def __post_init__(self) -> None:
        if not _ISSUER.fullmatch(self.issuer) or "?" in self.issuer or "#" in self.issuer:
            raise InvalidRequest("issuer: must be an http(s) URL without query and fragment (RFC 8414 §2)")
        if self.alg not in ALGORITHMS:
            raise InvalidRequest(f"alg: must be one of {', '.join(ALGORITHMS)}")
        if not 0 < self.token_lifetime <= self.max_lifetime:
            raise InvalidRequest("token_lifetime: must be at most max_lifetime, and more than nothing")
        if self.announce_seconds < 0:
            raise InvalidRequest("announce_seconds: must not be negative")
        for name in self.claims:
            check_claim_name(name)


def init(home: Home, plan: Plan, database_url: str | None = None, clock: Clock = wall_clock) -> Terms:
    """Make a new authority and answer its terms (`root` is the thumbprint to pin).

    Raises `Conflict` when the folder or the database already holds one, and `StorageUnavailable`.
    """
    home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    root, snapshot = PrivateKey.generate("EdDSA"), PrivateKey.generate("EdDSA")
    master = os.urandom(MASTER_KEY_SIZE)
    secret, secret_hash = ClientSecrets().generate()
    # The operator's command pins the root with it: `revocast log verify` then asks nobody.
    operator = {
        "client_id": _OPERATOR_ID,
        "client_secret": secret,
        "issuer": plan.issuer,
        "root": root.kid,
    }
    files = {
        home.root: root.pem(),
        home.master_key: b64u(master).encode() + b"\n",
        home.snapshot_key: snapshot.pem(),
        home.operator: json.dumps(operator, indent=2).encode() + b"\n",
    }
    written: list[Path] = []
    storage = Storage(database_url or home.database_url)
    try:
        for path, content in files.items():
            _write_private(path, content)
            written.append(path)
        _make_private(storage)
        storage.migrate()
        with storage.write() as session:
            if session.get(Deployment, 1) is not None:
                raise Conflict("the database holds an authority already; init makes a new one only")
            return _found(session, plan, root, snapshot.public, SealedKeys(master), secret_hash, int(clock()))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    finally:
        storage.close()


def _found(
    session: Session,
    plan: Plan,
    root: PrivateKey,
    snapshot: PublicKey,
    keystore: SealedKeys,
    secret_hash: str,
    now: int,
) -> Terms:
    terms = Terms(
        issuer=plan.issuer,
        root=root.kid,
        salt=os.urandom(SALT_SIZE),
        leeway=plan.leeway,
        claims=tuple(plan.claims),
        lifetimes=(Lifetime(since=0, max_lifetime=plan.max_lifetime),),
        announce_seconds=plan.announce_seconds,
        token_lifetime=plan.token_lifetime,
    )
    save_terms(session, terms)
    event = keystore.generate("EdDSA")
    add_key(session, EVENT, event, KeyState.ACTIVE, now)
    add_key(session, TOKEN, keystore.generate(plan.alg), KeyState.ACTIVE, now)
    listed = DelegationList(
        t=now,
        version=1,
        epoch=1,
        expires_at=now + _YEAR_S,
        keys=(
            Delegate(jwk=dict(event.public.jwk), role=Role.EVENT),
            Delegate(jwk=dict(snapshot.jwk), role=Role.SNAPSHOT),
        ),
        roots=Roots(first=dict(root.public.jwk)),
    )
    compact = listed.signed(terms.issuer, root)
    add_document(session, listed, compact)
    start = Position.opening(1, Envelope.parse(compact).hash)
    head = Head(id=1, epoch=1, n=0, hash=start.hash, t=now, delegations=1, key_set=0)
    session.add_all([head, Publication(id=1, epoch=1, n=0, next_offset=0)])
    session.flush()
    write_key_set(session, terms, head, keystore, now)
    append(session, head, (), now, issuer=terms.issuer, actor="init", reason="epoch 1", closes_live_set=True)
    scopes = frozenset(OPERATOR_SCOPES)
    add_resource_server(session, ResourceServer(terms.issuer, "Revocast operator API", scopes, now))
    operator = Client(_OPERATOR_ID, "First operator", {terms.issuer: scopes}, created_at=now)
    add_client(session, operator, secret_hash)
    return terms


def _write_private(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} exists already; init never overwrites a key") from None
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _make_private(storage: Storage) -> None:
    """SQLite's journal files take the permissions of the database file, so that one is made first."""
    if not storage.is_postgresql:
        storage.sqlite_file.touch(mode=0o600)
