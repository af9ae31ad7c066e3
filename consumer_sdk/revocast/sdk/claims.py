"""The claims of a verified token: one object, shared by every request that brings the token, so nobody can change it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType, NoneType
from typing import Any, Final, NoReturn, Self

__all__ = ["NO_CLAIMS", "Claims"]

_IMMUTABLE: Final = frozenset({str, int, float, bool, NoneType})


class Claims(Mapping[str, Any]):
    """Claims as a read-only mapping: objects are mappings, arrays are tuples, all the way down."""

    __slots__ = ("_members",)
    _members: Mapping[str, Any]

    def __init__(self, members: Mapping[str, Any]) -> None:
        frozen = {
            name: value if type(value) in _IMMUTABLE else _frozen(value) for name, value in members.items()
        }
        object.__setattr__(self, "_members", MappingProxyType(frozen))

    @classmethod
    def owning(cls, members: dict[str, Any]) -> Self:
        """The same of a dict that nobody changes any more: not copied where nothing in it can be changed."""
        if not _IMMUTABLE.issuperset(map(type, members.values())):
            return cls(members)
        claims = cls.__new__(cls)
        object.__setattr__(claims, "_members", MappingProxyType(members))
        return claims

    @property
    def subject(self) -> str:
        """`sub`: who the token speaks for."""
        return str(self._members["sub"])

    @property
    def scopes(self) -> frozenset[str]:
        """The granted scopes (RFC 9068 §2.2.3)."""
        scope = self._members.get("scope", "")
        return frozenset(scope.split(" ")) - {""} if isinstance(scope, str) else frozenset()

    def to_dict(self) -> dict[str, Any]:
        """A deep copy in plain dicts and lists, the caller's to change."""
        return {name: _thawed(value) for name, value in self._members.items()}

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("claims are read-only; to_dict() gives a copy")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("claims are read-only; to_dict() gives a copy")

    def __reduce__(self) -> tuple[type["Claims"], tuple[dict[str, Any]]]:
        return Claims, (self.to_dict(),)

    def __repr__(self) -> str:
        # Claims are personal data and tend to end up in logs: names only.
        return f"Claims({', '.join(self._members)})"


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Claims(value)
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, Claims):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_thawed(item) for item in value]
    return value


NO_CLAIMS: Final = Claims({})
