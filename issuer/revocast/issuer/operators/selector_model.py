"""A selector as JSON."""

from typing import Self

from pydantic import ConfigDict, Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from revocast.issuer.operators.body import Body, Name
from revocast.schemas.selector import BUILT_IN_KINDS, Selector, check_claim_name

__all__ = ["SelectorModel"]

_CLAIM = "claim:"


class SelectorModel(Body):
    """What a revocation names: whose tokens, which kind of name, and the name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "subject", "values": ["alice"]}]})

    issuer: str | None = Field(
        None, min_length=1, max_length=2048, description="the tokens' `iss`; ours if left out"
    )
    kind: str = Field(description=f"{', '.join(BUILT_IN_KINDS)} or claim:<name>", examples=["subject"])
    values: list[Name] = Field(
        description="one value; `subject+client`: subject, client; `issuer`: none. Compared by exact code points.",
        examples=[["alice"]],
        max_length=2,
    )

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind.startswith(_CLAIM):
            check_claim_name(kind.removeprefix(_CLAIM))
        elif kind not in BUILT_IN_KINDS:
            raise ValueError(f"must be one of {', '.join(BUILT_IN_KINDS)} or claim:<name>")
        return kind

    @field_validator("values")
    @classmethod
    def _fitting(cls, values: list[str], info: ValidationInfo) -> list[str]:
        if kind := info.data.get("kind"):
            Selector("-", kind, tuple(values))
        return values

    def selector(self, default_issuer: str) -> Selector:
        """The selector that this stands for."""
        return Selector(self.issuer or default_issuer, self.kind, tuple(self.values))

    @classmethod
    def of(cls, selector: Selector) -> Self:
        """The selector as it is answered."""
        return cls(issuer=selector.issuer, kind=selector.kind, values=list(selector.values))
