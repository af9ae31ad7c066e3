"""A root, an event key and a log written by hand: the few lines that the reader tests share."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from revocast.schemas.chain import Chain
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import Bound, Delegate, DelegationList, Role, Roots
from revocast.schemas.events import Envelope, EventBody
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, KeyState, Lifetime
from revocast.schemas.record import Position
from revocast.schemas.row import Row
from revocast.schemas.trust import Trust

ISSUER = "https://issuer.example"
T = 1_700_000_000


class _Later(EventBody):
    TYPE: ClassVar[str] = "urn:revocast:event:later:1"
    TOPIC: ClassVar[str] = "revocations"

    @property
    def jti(self) -> str:
        return "later"


class _LaterKey(_Later):
    TOPIC: ClassVar[str] = "keys"


@dataclass
class Deployment:
    root: PrivateKey = field(default_factory=PrivateKey.generate)
    event: PrivateKey = field(default_factory=PrivateKey.generate)
    token: PrivateKey = field(default_factory=PrivateKey.generate)
    position: Position = field(init=False)
    first_list: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.first_list = self.delegations()
        self.position = Position.opening(1, Envelope.parse(self.first_list).hash)

    def delegations(self, version: int = 1, signer: PrivateKey | None = None, **changed: Any) -> bytes:
        content: dict[str, Any] = {
            "t": T,
            "version": version,
            "epoch": 1,
            "opened_by": None if version == 1 else Envelope.parse(self.first_list).hash,
            "expires_at": T + 31_536_000,
            "keys": (self.delegate(self.event),),
            "roots": Roots(first=dict(self.root.public.jwk)),
        }
        return DelegationList(**{**content, **changed}).signed(ISSUER, signer or self.root)

    def delegate(self, key: PrivateKey, bound: tuple[int, int] | None = None) -> Delegate:
        return Delegate(
            jwk=dict(key.public.jwk),
            role=Role.EVENT,
            bound=Bound(epoch=bound[0], n=bound[1]) if bound else None,
        )

    def key_set(self, version: int = 1, signer: PrivateKey | None = None, **changed: Any) -> bytes:
        content: dict[str, Any] = {
            "t": T,
            "delegations": 1,
            "version": version,
            "salt": bytes(32),
            "leeway": 30,
            "claims": ("tenant",),
            "issuers": (self.issuer_keys(KeyState.ACTIVE),),
        }
        return KeySet(**{**content, **changed}).signed(ISSUER, signer or self.event)

    def issuer_keys(self, state: KeyState, key: PrivateKey | None = None) -> IssuerKeys:
        jwk = {**(key or self.token).public.jwk, "kid": "token-key"}
        return IssuerKeys(
            issuer=ISSUER,
            lifetimes=(Lifetime(since=0, max_lifetime=3600),),
            keys=(KeyEntry(jwk=jwk, state=state),),
        )

    def record(
        self, *rows: Row, at: int = T, signer: PrivateKey | None = None, fork: bool = False, **changed: Any
    ) -> bytes:
        """The next record; with `fork` the head does not move, so that the one after has the same n."""
        content: dict[str, Any] = {"delegations": 1, "key_set": 1, "closes_live_set": self.position.n == 0}
        record = self.position.next_record(rows, at, **{**content, **changed})
        value = record.signed(ISSUER, signer or self.event)
        if not fork:
            self.position = self.position.after(record, Envelope.parse(value).hash)
        return value

    def checkpoint(self, at: int = T, signer: PrivateKey | None = None, **changed: Any) -> bytes:
        content: dict[str, Any] = {
            "t": at,
            "epoch": self.position.epoch,
            "n": self.position.n,
            "hash": self.position.hash,
            "delegations": 1,
            "key_set": 1,
        }
        return Checkpoint(**{**content, **changed}).signed(ISSUER, signer or self.event)

    def unknown_event(self, topic: str = "revocations") -> bytes:
        """Validly signed, of a type that a later version may know."""
        later = _LaterKey if topic == "keys" else _Later
        return later(t=T).signed(ISSUER, self.event)

    def trust(self) -> Trust:
        """A reader that has read both documents."""
        trust = Trust(ISSUER, self.root.kid)
        trust.receive(self.first_list, 0)
        trust.receive(self.key_set(), 1)
        return trust

    def chain(self) -> Chain:
        """A reader at record 1."""
        chain = Chain(self.trust())
        chain.receive(self.record(), 0.0, 0)
        return chain
