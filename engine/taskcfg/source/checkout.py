"""What git says of the folder the task files are in."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """The commit a folder is at. `repo` is the remote's address or the top folder's path, `folder` the path
    from there; `dirty` says that files under the folder differ from the commit, None that nobody knows."""

    repo: str
    folder: str
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
    top, _, below = (_git(folder, "rev-parse", "--show-toplevel", "--show-prefix") or "").partition("\n")
    repo = _git(folder, "config", "--get", "remote.origin.url") or top or str(folder)
    dirty = None if changed is None else bool(changed)
    within = below.rstrip("/") or "."
    return Checkout(shown_address(repo), within, commit, author, subject, dirty)


def top_of_checkout(folder: Path) -> Path | None:
    """Return the topmost folder of the repository that *folder* lies in, None where there is none.

    Git is not asked: in containers it often refuses a folder that belongs to another user.
    """
    start = Path(os.path.abspath(folder))
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), None)


def last_author(folder: Path, file: str) -> str | None:
    """Return who changed *file*, which is named from the top or from *folder*'s, last and in which commit;
    None where nobody knows, or it is not committed as it is."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return None
    candidates = [path for path in (folder.parent / file, folder / file, Path(top) / file) if path.exists()]
    for path in candidates[:1]:
        if _git(folder, "status", "--porcelain", "--", str(path)):
            return "not committed"
        return _git(folder, "log", "-1", "--format=%an, commit %h", "--", str(path)) or None
    return None


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def shown_address(address: str) -> str:
    """Return the address without who may read there: a name alone may be a secret too."""
    scheme, separator, rest = address.partition("://")
    if not separator or "@" not in rest.partition("/")[0]:
        return address
    return f"{scheme}://{rest.partition('@')[2]}"
