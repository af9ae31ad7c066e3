"""An authority without HTTP: real database, real keys, a clock that the test moves."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from revocast.issuer.authority.revocations import Lift, Receipt, Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.key_desk import KeyDesk
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.minting import Mint
from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay, UpkeepRules
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.service import Service
from revocast.issuer.storage import Storage
from revocast.issuer.storage.outbox import oldest_events
from revocast.issuer.storage.publishing import mark_documents
from revocast.issuer.storage.signing_keys import all_documents
from revocast.schemas.audit import AuditEvent
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.table import Table

ISSUER = "https://issuer.example"
ORDERS = "https://orders.example"
T = 1_800_000_000


class FakeClock:
    """Stands still until the test moves it; `sleep` moves it, too."""

    def __init__(self, now: float = T) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Authority:
    """Made by `init` on `database_url` (None: SQLite in `home`). `other()` is a second process's service on it."""

    def __init__(self, home: Path, database_url: str | None = None, **plan: Any) -> None:
        self.clock = FakeClock()
        self.home = Home(home)
        self.url = database_url or self.home.database_url
        self.terms = init(self.home, Plan(ISSUER, claims=("tenant",), **plan), database_url, clock=self.clock)
        self.storage = Storage(self.url)
        self.keystore = SealedKeys.from_file(self.home.master_key)
        self.publication = Publication()
        self.service = Service(self.storage, self.keystore, self.publication, self.clock)
        self.desk = RevocationDesk(self.storage, self.publication, self.clock)
        self.key_desk = KeyDesk(self.storage, self.keystore, self.publication, self.clock)
        self.mint = Mint(self.storage, self.keystore, self.clock, self.clock.sleep)
        self._opened = [self.storage]
        self._numbers = itertools.count()

    def close(self) -> None:
        for storage in self._opened:
            storage.close()

    def other(self) -> tuple[Service, Publication]:
        storage = Storage(self.url)
        self._opened.append(storage)
        publication = Publication()
        return Service(storage, self.keystore, publication, self.clock), publication

    def relay(
        self,
        kafka: KafkaSettings,
        publication: Publication | None = None,
        rules: UpkeepRules | None = None,
    ) -> Relay:
        storage = Storage(self.url)
        self._opened.append(storage)
        return Relay(storage, self.keystore, publication or self.publication, kafka, self.clock, rules)

    # -- short names for what the tests do all the time --------------------------------------------------------------

    def block(self, kind: str, *values: str, expires_at: int | None = None) -> Receipt:
        return self.revoke(Revocation(Selector(ISSUER, kind, values), Slot.BLOCK, expires_at=expires_at))

    def cut(self, kind: str, *values: str, cutoff: int | None = None) -> Receipt:
        return self.revoke(Revocation(Selector(ISSUER, kind, values), Slot.CUTOFF, cutoff))

    def lift(self, kind: str, *values: str, slot: Slot) -> Receipt:
        return self.revoke(lifts=[Lift(Selector(ISSUER, kind, values), slot)])

    def revoke(self, *revocations: Revocation, lifts: Sequence[Lift] = (), **more: Any) -> Receipt:
        return self.service.revoke(revocations, lifts, actor="alice", reason="a test", **more)

    def block_one_more(self) -> Receipt:
        return self.block("token", f"jti-{next(self._numbers)}")

    def client(self, scopes: Sequence[str] = ("read", "write")) -> str:
        known = [server.audience for server in self.service.resource_servers()]
        if ORDERS not in known:
            self.service.register_resource_server(ORDERS, "Orders", ["read", "write"], actor="alice")
        return self.service.register_client("A client", {ORDERS: scopes}, actor="alice").client.client_id

    def audited(self, type: str) -> list[AuditEvent]:
        """What the outbox holds of this type, in the order of writing."""
        with self.storage.read() as session:
            events = [AuditEvent.model_validate_json(row.event) for row in oldest_events(session, 10_000)]
        return [event for event in events if event.type == type]

    def announce_all(self) -> None:
        """As if Kafka had acknowledged every key document now."""
        with self.storage.write() as session:
            jtis = [document.jti for document in all_documents(session)]
            mark_documents(session, jtis, int(self.clock()))


def model_of(service: Service) -> Table:
    """The table that a reader of the whole log holds."""
    table = Table()
    after = 0
    while entries := service.log(after, 500):
        for entry in entries:
            assert entry.n == after + 1
            table.apply(entry.rows, entry.t)
            after = entry.n
    return table
