"""The story, one module a scene, in the order of `SCENES`. Each has `TITLE` and `play(stage)`."""

from collections.abc import Callable
from typing import Final

from revocast.dev.demo.scenes import (
    accepted,
    blocked,
    forged,
    issuer_killed,
    key_revoked,
    key_rotated,
    many,
    revoked,
    services_restarted,
    signed_out,
)
from revocast.dev.demo.stage import Stage

__all__ = ["SCENES"]

SCENES: Final[tuple[tuple[str, Callable[[Stage], None]], ...]] = tuple(
    (scene.TITLE, scene.play)
    for scene in (
        accepted,
        revoked,
        signed_out,
        blocked,
        key_rotated,
        key_revoked,
        issuer_killed,
        services_restarted,
        forged,
        many,
    )
)
