"""The keys of an issuer in memory: root, event, snapshot and token keys, and what they make it say on the keys topic."""

from revocast.schemas.delegations import Bound, Delegate, DelegationList, Distrust, Role, Roots
from revocast.schemas.events import EventBody
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, KeyState, Lifetime
from revocast.testing.memory_log import InMemoryLog, Message

__all__ = ["KeyAuthority"]

_YEAR = 366 * 86400


class KeyAuthority:
    """Publishes delegation lists and key sets. `now` is its clock in seconds and moves only when a test moves it."""

    def __init__(
        self, issuer: str, *, claims: tuple[str, ...], leeway: int, max_lifetime: int, now: int
    ) -> None:
        self.issuer = issuer
        self.claims = claims
        self.leeway = leeway
        self.max_lifetime = max_lifetime
        self.now = now
        self.salt = bytes(range(32))
        self.keys = InMemoryLog()
        self.root = PrivateKey.generate()
        self.roots = Roots(first=dict(self.root.public.jwk))
        self.pin = self.root.kid
        """The first root's thumbprint: what a reader is given to trust."""
        self.event_key = PrivateKey.generate()
        self.snapshot_key = PrivateKey.generate()
        """Streams' key: it signs manifests, which the event key countersigns."""
        self.delegates = [
            Delegate(jwk=dict(self.event_key.public.jwk), role=Role.EVENT),
            Delegate(jwk=dict(self.snapshot_key.public.jwk), role=Role.SNAPSHOT),
        ]
        self.distrusted = Distrust()
        self.foreign: dict[str, IssuerKeys] = {}
        """Other token issuers that the next key set lists."""
        self.token_keys: dict[str, PrivateKey] = {}
        self.key_states: dict[str, KeyState] = {}
        self.list_lifetime = _YEAR
        """Seconds until the next delegation list expires."""
        self.delegations = 0
        self.key_set = 0
        self._started = now
        self._epoch = 1
        self._opened_by: bytes | None = None

    @property
    def active(self) -> PrivateKey:
        """The key that signs new tokens."""
        return next(
            self.token_keys[kid] for kid, state in self.key_states.items() if state is KeyState.ACTIVE
        )

    # --- keys

    def announce(self, alg: str = "EdDSA") -> PrivateKey:
        """Publish a key that does not sign yet."""
        key = PrivateKey.generate(alg)
        self.token_keys[key.kid] = key
        self.set_state(key.kid, KeyState.ANNOUNCED)
        return key

    def rotate(self, alg: str = "EdDSA") -> PrivateKey:
        """Announce a key, then sign with it; the one before verifies on (`retiring`)."""
        key = self.announce(alg)
        for kid, state in self.key_states.items():
            if state is KeyState.ACTIVE:
                self.key_states[kid] = KeyState.RETIRING
        self.set_state(key.kid, KeyState.ACTIVE)
        return key

    def revoke_key(self, kid: str) -> Message:
        """Withdraw a token-signing key with everything that it signed."""
        return self.set_state(kid, KeyState.REVOKED)

    def set_state(self, kid: str, state: KeyState) -> Message:
        """Publish a key set in which one key is in another state."""
        self.key_states[kid] = state
        return self.publish_key_set()

    def publish_key_set(self) -> Message:
        """Publish the next version of the key set."""
        self.key_set += 1
        keys = tuple(
            KeyEntry(jwk=dict(key.public.jwk), state=self.key_states[kid])
            for kid, key in self.token_keys.items()
        )
        lifetimes = (Lifetime(since=self._started - _YEAR, max_lifetime=self.max_lifetime),)
        return self._publish(
            self.keys,
            KeySet(
                t=self.now,
                delegations=self.delegations,
                version=self.key_set,
                salt=self.salt,
                leeway=self.leeway,
                claims=self.claims,
                issuers=(
                    IssuerKeys(issuer=self.issuer, lifetimes=lifetimes, keys=keys),
                    *self.foreign.values(),
                ),
            ),
        )

    # --- trust

    def rotate_root(self) -> Message:
        """Hand over to a new root."""
        successor = PrivateKey.generate()
        self.roots = self.roots.handed_over(self.root, successor.public, self.issuer)
        self.root = successor
        return self.publish_delegations()

    def distrust(self, *kids: str, issuer: bool = False) -> Message:
        """Break-glass, signed by the root: refuse what these kids signed, or everything."""
        self.distrusted = Distrust(kids=kids, issuer=issuer)
        return self.publish_delegations()

    def publish_delegations(self) -> Message:
        """Publish the next version of the delegation list."""
        return self._publish_delegations(self._opened_by)

    def sign(self, body: EventBody, key: PrivateKey | None = None) -> bytes:
        """Sign any event, with the event key unless told otherwise."""
        return body.signed(self.issuer, key or self.event_key)

    def _publish_delegations(self, opened_by: bytes | None) -> Message:
        self.delegations += 1
        listed = DelegationList(
            t=self.now,
            version=self.delegations,
            epoch=self._epoch,
            opened_by=opened_by,
            expires_at=self.now + self.list_lifetime,
            keys=tuple(self.delegates),
            distrust=self.distrusted,
            roots=self.roots,
        )
        return self.keys.append(listed.key, self.sign(listed, self.root))

    def _replace_event_key(self, bound: Bound | None = None) -> None:
        self.event_key = self._replace(self.event_key, Role.EVENT, bound)

    def _replace_snapshot_key(self, bound: Bound | None = None) -> None:
        self.snapshot_key = self._replace(self.snapshot_key, Role.SNAPSHOT, bound)

    def _replace(self, old: PrivateKey, role: Role, bound: Bound | None) -> PrivateKey:
        """A new key in the place of `old`, which stays listed up to its bound; without one it was compromised."""
        new = PrivateKey.generate()
        kept = [each for each in self.delegates if each.bound is not None or each.role is not role]
        if bound is not None:
            kept.append(Delegate(jwk=dict(old.public.jwk), role=role, bound=bound))
        self.delegates = [*kept, Delegate(jwk=dict(new.public.jwk), role=role)]
        return new

    def _publish(self, log: InMemoryLog, body: EventBody) -> Message:
        return log.append(body.key, self.sign(body))
