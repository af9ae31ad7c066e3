"""What a guard remembers across restarts: the roots it has come to trust, and the newest key versions it has seen.

Without it a restart would trust on first use again, and take an old key set for the newest.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from revocast.sdk.own_file import open_own
from revocast.sdk.readiness import Floor

__all__ = ["Memory", "Remembered"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """`roots` are thumbprints, the newest last; `floor` is what has been seen, below which nothing is accepted."""

    roots: tuple[str, ...]
    floor: Floor


class Memory:
    """One JSON file, private to its owner, replaced as a whole. What another user has put there is not believed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Remembered | None:
        """What an earlier run left; None: nothing that can be used."""
        try:
            with open_own(self.path) as file:
                found = json.loads(file.read())
            roots = tuple(str(root) for root in found["roots"])
            delegations, version = found["key_set"]
            remembered = Remembered(roots, Floor(int(found["delegations"]), (int(delegations), int(version))))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        return remembered if remembered.roots else None

    def save(self, remembered: Remembered) -> None:
        """Replace the file. Raises `OSError`."""
        # Several workers of a host share the file: none may put it back behind what another has seen.
        earlier = self.load()
        if earlier and set(earlier.roots) & set(remembered.roots) and earlier.floor >= remembered.floor:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({"roots": remembered.roots, **remembered.floor._asdict()}, file)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
