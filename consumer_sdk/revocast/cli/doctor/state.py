"""What a guard keeps on this host: whether it can be written, and whether what is there can be used."""

import os
import tempfile
from collections.abc import Iterator
from typing import Final

from revocast.cli.doctor.finding import Finding, ok, warn
from revocast.cli.times import show_time
from revocast.sdk.local_copy import LocalCopy, Unusable
from revocast.sdk.memory import Memory
from revocast.sdk.settings import GuardSettings

__all__ = ["examine_state", "remembered_root"]

_CHECK: Final = "state"


def remembered_root(settings: GuardSettings) -> str | None:
    """The root that an earlier guard on this host has come to trust."""
    remembered = Memory(settings.memory_path).load()
    if remembered is None or (settings.root is not None and settings.root not in remembered.roots):
        return None
    return remembered.roots[-1]


def examine_state(settings: GuardSettings) -> Iterator[Finding]:
    """Nothing here keeps a guard from working; it only starts slower, and trusts what it pins anew."""
    folder = settings.state_dir
    if problem := _not_writable(settings):
        yield warn(
            _CHECK,
            f"{folder} cannot be written ({problem}): every start reads everything, and nothing is remembered across restarts",
            "Set REVOCAST_STATE_DIR to a folder of this service's own, which outlives a restart.",
        )
        return
    if settings.root is None:
        root = remembered_root(settings)
        yield warn(
            _CHECK,
            f"REVOCAST_ROOT is not set; the pinned root is {root}"
            if root
            else "REVOCAST_ROOT is not set: the first start pins one",
            "Set it to the thumbprint that `revocast status` shows: then nothing is asked of the network, and nothing rests on this folder.",
        )
    try:
        copy = LocalCopy(settings.base_path).load(settings.issuer)
    except Unusable as error:
        if settings.base_path.exists():
            yield warn(
                _CHECK,
                f"the local copy of the deny-list is not used: {error}",
                "The next guard writes it anew; if this comes back, look at the disk.",
            )
        else:
            yield ok(_CHECK, f"{folder} can be written; no local copy of the deny-list yet")
    else:
        position = copy.place.position
        yield ok(
            _CHECK,
            f"{folder} can be written; local copy of record {position.epoch}/{position.n} ({show_time(position.t)}), "
            f"{len(copy.base)} rows, undamaged",
        )


def _not_writable(settings: GuardSettings) -> str:
    folder = settings.state_dir
    try:
        if not folder.exists():
            ancestor = next(parent for parent in folder.parents if parent.exists())
            ours = ancestor.is_dir() and os.access(ancestor, os.W_OK | os.X_OK)
            return "" if ours else f"{ancestor} is not a folder of ours"
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__
