"""`revocast init`: a new authority, its keys and its first operator.

* The root key signs the first delegation list and then belongs offline; nothing here reads it again. Where it never was on
  this host, a request is left for its holder, and the authority waits for the list (`take_list`).
* The first list is adopted as every later one is: it opens epoch 1, whose live set is empty.
* Event and token keys live in the database, sealed under the master key. The snapshot key is a file for streams: one that
  exists, where the operator names one, or a new one.
* The first token key is active at once: nobody can hold an older key set.
* Nothing is ever overwritten. The files are written first and the database last, in one transaction: a run that fails
  removes what it wrote.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.event_keys import EVENT_ALGORITHM, EventKeyState
from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.registry import Client, ResourceServer
from revocast.issuer.authority.terms import Terms
from revocast.issuer.authority.trust_report import ListedKey
from revocast.issuer.client_secrets import ClientSecrets
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import Conflict, InvalidRequest, NotInitialized
from revocast.issuer.keystore import MASTER_KEY_SIZE, KeyStore, SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.storage import Storage, tables
from revocast.issuer.storage.deployment import save_terms
from revocast.issuer.storage.registry import add_client, add_resource_server
from revocast.issuer.storage.signing_keys import EVENT, TOKEN, add_key
from revocast.issuer.trust_desk import Adopted, TrustDesk
from revocast.schemas.delegating import first_list
from revocast.schemas.delegations import Role
from revocast.schemas.errors import SignerError
from revocast.schemas.jose import ALGORITHMS, PrivateKey, PublicKey, b64u, canonical_json, thumbprint
from revocast.schemas.keyset import Lifetime
from revocast.schemas.selector import SALT_SIZE, check_claim_name
from revocast.schemas.signer import Signer
from revocast.schemas.signer_uri import signer_of

__all__ = ["OPERATOR_SCOPES", "Home", "Plan", "Root", "init", "take_list"]

OPERATOR_SCOPES: Final = (
    "revocast:clients",
    "revocast:keys",
    "revocast:revoke-many",
    "revocast:lift",
    "revocast:mint",
    "revocast:read",
    "revocast:revoke",
    "revocast:trust",
)
_OPERATOR_ID: Final = "operator"
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
    def request(self) -> Path:
        """What the root's holder signs the first delegation list from, where the root is not on this host."""
        return self.folder / "trust-request.json"

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


@dataclass(frozen=True, slots=True)
class Root:
    """The key that signs delegation lists. `signer` is None where only its public half is known here."""

    public: PublicKey
    signer: Signer | None = None

    @property
    def thumbprint(self) -> str:
        """What readers pin."""
        return thumbprint(self.public.jwk)


def init(
    home: Home,
    plan: Plan,
    database_url: str | None = None,
    clock: Clock = wall_clock,
    *,
    root: Root | None = None,
    snapshot_key: Path | None = None,
) -> Terms:
    """Make a new authority and answer its terms (`root` is the thumbprint to pin).

    `root` None: one is made, too, and written to the folder. A root without a signer: `home.request` is written, and the
    authority waits for the first list. `snapshot_key`: the file of the snapshot key, which is made if it is not there; None:
    a new one in the folder. Raises `Conflict` when the folder or the database already holds an authority, `InvalidRequest`
    for a file that holds no private key, and `StorageUnavailable`.
    """
    home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = None
    if root is None:
        made = PrivateKey.generate("EdDSA")
        root = Root(made.public, made)
    files: dict[Path, bytes] = {}
    if snapshot_key is not None and snapshot_key.exists():
        snapshot = _public_of(snapshot_key)
    else:
        new = PrivateKey.generate("EdDSA")
        files[snapshot_key or home.snapshot_key], snapshot = new.pem(), new.public
    master = os.urandom(MASTER_KEY_SIZE)
    secret, secret_hash = ClientSecrets().generate()
    # The operator's command pins the root with it: `revocast log verify` then asks nobody.
    operator = {
        "client_id": _OPERATOR_ID,
        "client_secret": secret,
        "issuer": plan.issuer,
        "root": root.thumbprint,
    }
    files |= {
        home.master_key: b64u(master).encode() + b"\n",
        home.operator: json.dumps(operator, indent=2).encode() + b"\n",
    }
    if made is not None:
        files[home.root] = made.pem()
    written: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        _write_private(path, content)
        written.append(path)

    storage = Storage(database_url or home.database_url)
    keystore = SealedKeys(master)
    desk = TrustDesk(storage, keystore, Publication(), clock)
    try:
        for path, content in files.items():
            write(path, content)
        _make_private(storage)
        storage.migrate()
        with storage.write() as session:
            if session.get(tables.Deployment, 1) is not None:
                raise Conflict("the database holds an authority already; init makes a new one only")
            terms, event = _found(session, plan, root, keystore, secret_hash, int(clock()))
            if root.signer is None:
                write(home.request, _request(desk, session, snapshot))
            else:
                keys = ((event.jwk, Role.EVENT), (snapshot.jwk, Role.SNAPSHOT))
                listed = first_list(root.public, keys, int(clock()))
                desk.adopt_in(session, listed.signed(terms.issuer, root.signer), actor="init")
            return terms
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    finally:
        storage.close()


def take_list(
    database_url: str, keystore: KeyStore, compact: bytes, clock: Clock = wall_clock, *, actor: str = "init"
) -> Adopted:
    """Adopt a delegation list without a running issuer: the first one, where the root is not on this host.

    Raises `Conflict` or `InvalidRequest`, naming what is wrong with it, and `NotInitialized` before `init`.
    """
    storage = Storage(database_url)
    try:
        if not storage.is_postgresql and not storage.sqlite_file.exists():
            raise NotInitialized(f"{storage.sqlite_file}: no such database; run `revocast init` first")
        storage.migrate()
        return TrustDesk(storage, keystore, Publication(), clock).adopt(compact, actor=actor)
    finally:
        storage.close()


def _found(
    session: Session, plan: Plan, root: Root, keystore: SealedKeys, secret_hash: str, now: int
) -> tuple[Terms, PublicKey]:
    """Everything but what the first delegation list brings; the event key for which that list is signed."""
    terms = Terms(
        issuer=plan.issuer,
        root=root.thumbprint,
        salt=os.urandom(SALT_SIZE),
        leeway=plan.leeway,
        claims=tuple(plan.claims),
        lifetimes=(Lifetime(since=0, max_lifetime=plan.max_lifetime),),
        announce_seconds=plan.announce_seconds,
        token_lifetime=plan.token_lifetime,
    )
    save_terms(session, terms)
    event = keystore.generate(EVENT_ALGORITHM)
    add_key(session, EVENT, event, EventKeyState.PENDING, now)
    add_key(session, TOKEN, keystore.generate(plan.alg), KeyState.ACTIVE, now)
    session.add_all(
        [
            tables.Head(id=1, epoch=0, n=0, hash=b"", t=now, delegations=0, key_set=0),
            tables.Publication(id=1, epoch=0, n=0, next_offset=0),
        ]
    )
    scopes = frozenset(OPERATOR_SCOPES)
    add_resource_server(session, ResourceServer(terms.issuer, "Revocast operator API", scopes, now))
    operator = Client(_OPERATOR_ID, "First operator", {terms.issuer: scopes}, created_at=now)
    add_client(session, operator, secret_hash)
    session.flush()
    return terms, event.public


def _request(desk: TrustDesk, session: Session, snapshot: PublicKey) -> bytes:
    report = desk.report_in(session)
    key = ListedKey(snapshot.kid, Role.SNAPSHOT, "pending", snapshot.jwk, None, None)
    return canonical_json(replace(report, keys=(*report.keys, key)).members()) + b"\n"


def _public_of(path: Path) -> PublicKey:
    try:
        return signer_of(str(path.resolve()))[1]
    except SignerError as error:
        raise InvalidRequest(f"snapshot key: {error}") from None


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
