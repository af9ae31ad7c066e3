"""The settings: whether they are valid, and whether they say what somebody probably meant."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.schemas.errors import SettingsError
from revocast.sdk.loopback import is_loopback
from revocast.sdk.settings import GuardSettings

__all__ = ["examine_environment", "read_settings"]

_CHECK: Final = "settings"
_ALIKE: Final = 0.85
_EACH: Final = re.compile("; (?=REVOCAST_[A-Z_]+: )")


def read_settings(environ: Mapping[str, str]) -> GuardSettings | list[Finding]:
    """The guard's settings, or what is wrong with them."""
    try:
        return GuardSettings.from_env(environ)
    except SettingsError as error:
        return [
            fail(_CHECK, problem, "`docs/reference/settings.md` lists every variable of Guard.from_env.")
            for problem in _EACH.split(str(error))
        ]


def examine_environment(settings: GuardSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What is valid and may still not be meant."""
    found = [*_doubts(settings, environ)]
    yield from found or [
        ok(_CHECK, f"issuer {settings.issuer}, audience {settings.audience}, policy {settings.policy}")
    ]


def _doubts(settings: GuardSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {f"REVOCAST_{name.upper()}{end}" for name in GuardSettings.model_fields for end in ("", "_FILE")}
    for name in sorted(environ):
        if name.startswith("REVOCAST_") and name not in known:
            for meant in get_close_matches(name, known, 1, _ALIKE):
                yield warn(
                    _CHECK, f"{name} is no setting of a guard, and is not read", f"Did you mean {meant}?"
                )
    if settings.mode == "shadow":
        yield warn(
            _CHECK,
            "REVOCAST_MODE is shadow: nothing is refused",
            "Unset it when only what should be refused is counted as refused.",
        )
    if settings.kafka_security == "plaintext" and not all(
        is_loopback(f"//{server.strip()}") for server in settings.kafka.split(",")
    ):
        yield warn(
            _CHECK,
            "REVOCAST_KAFKA_SECURITY is plaintext: whoever is on the network can hold records back unseen",
            "Set it to sasl_ssl or ssl; docs/transport.md has both.",
        )
