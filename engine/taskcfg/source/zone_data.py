"""Which time zone database this machine has, and whether another one is newer."""

from __future__ import annotations

import hashlib
import re
import zoneinfo
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_RELEASE = re.compile(r"[0-9]{4}[a-z]+")
_SAID = (("tzdata.zi", re.compile(r"# version (\S+)")), ("+VERSION", re.compile(r"(\S+)")))
_OTHER_KINDS = ("posix", "right")


def zone_database(folders: Sequence[str] | None = None) -> str | None:
    """Return the version of the time zone database in use, such as `2025b`; None where there is none.

    It is that of the first of *folders* (Python's own search path) that holds any zones, else of the
    package `tzdata`. A folder that does not say its version has a digest of its files, `files-…`.
    Raises OSError when what is there cannot be read.
    """
    for name in zoneinfo.TZPATH if folders is None else folders:
        folder = Path(name)
        if folder.is_dir() and any(folder.iterdir()):
            return _said_in(folder) or _digest(folder)
    return _packaged()


def is_newer(one: str, other: str) -> bool | None:
    """Say whether *one* is a later release than *other*; None when a digest has no order."""
    if _RELEASE.fullmatch(one) and _RELEASE.fullmatch(other):
        return one > other
    return None


def _said_in(folder: Path) -> str | None:
    for name, pattern in _SAID:
        try:
            with (folder / name).open(encoding="utf-8") as file:
                found = pattern.match(file.readline())
        except FileNotFoundError:
            continue
        if found:
            return found[1]
    return None


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if inside.parts[0] not in _OTHER_KINDS and file.is_file():
            digest.update(f"{inside}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return f"files-{digest.hexdigest()[:16]}"


def _packaged() -> str | None:
    package = find_spec("tzdata")
    if package is None or package.origin is None:
        return None
    # Read and not imported: it may be upgraded while we run.
    found = re.search(r'IANA_VERSION = "([^"]+)"', Path(package.origin).read_text(encoding="utf-8"))
    return found[1] if found else None
