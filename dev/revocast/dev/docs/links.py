"""Links in the repository's Markdown that lead nowhere. Only what is in the checkout: the check needs no network."""

import re
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

__all__ = ["dead_links"]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def dead_links(root: Path) -> list[str]:
    """`file: link` for every relative link whose file or heading is not there."""
    return [
        f"{file.relative_to(root)}: {target} leads nowhere"
        for file in _documents(root)
        for target in _LINK.findall(_FENCE.sub("", file.read_text(encoding="utf-8")))
        if not re.match(r"[a-z][a-z0-9+.-]*:", target) and not _leads_somewhere(file, target)
    ]


def _documents(root: Path) -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return (root / name for name in sorted(set(listed.stdout.split("\0"))) if name and (root / name).exists())


def _leads_somewhere(file: Path, target: str) -> bool:
    name, _, heading = target.partition("#")
    there = (file.parent / name).resolve() if name else file
    if not there.exists():
        return False
    return not heading or there.suffix != ".md" or heading in _anchors(there)


def _anchors(file: Path) -> set[str]:
    """The names that a Markdown viewer gives the headings: lower case, hyphens for spaces, no punctuation."""
    text = _FENCE.sub("", file.read_text(encoding="utf-8"))
    return {_anchor(heading) for heading in _HEADING.findall(text)}


def _anchor(heading: str) -> str:
    kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")
