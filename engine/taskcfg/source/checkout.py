"""What git says of the folder the task files are in."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """The commit a folder is at. `repo` is the remote's address or the top folder's path;
    `dirty` says that files under the folder differ from the commit, None that nobody knows."""

    repo: str
    commit: str
    author: str
    subject: str
    dirty: bool | None


def read_checkout(folder: Path) -> Checkout | None:
    """Return the commit *folder* is at, or None where there is no git, no repository or no commit yet."""
    head = _git(folder, "log", "-1", "--format=%H%x00%an <%ae>%x00%s")
    if head is None:
        return None
    commit, author, subject = head.split("\0", 2)
    changed = _git(folder, "status", "--porcelain", "--", ".")
    repo = _git(folder, "config", "--get", "remote.origin.url") or _git(
        folder, "rev-parse", "--show-toplevel"
    )
    dirty = None if changed is None else bool(changed)
    return Checkout(_without_password(repo or str(folder)), commit, author, subject, dirty)


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def _without_password(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    if not separator or "@" not in rest.partition("/")[0]:
        return address
    return f"{scheme}://{rest.partition('@')[2]}"
