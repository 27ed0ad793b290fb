"""What the database says of a source's tasks, as far as a plan needs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class LiveTask:
    """One row that is not retired.

    `digest` is that of the row as it stands, also after a change by hand. `spec` is loaded
    only where it differs from what is desired; None where it was not, or cannot be read. `source` is the
    one it belongs to, None for the plan's own; `renamed_from` the name it had before its last rename.
    `applied_digest` is that of what was applied last.
    """

    id: int
    name: str
    digest: str
    version: int
    applied_version: int
    protect: bool = False
    spec: TaskSpec | None = None
    source: str | None = None
    renamed_from: str | None = None
    applied_digest: str | None = None

    @property
    def changed_by_hand(self) -> bool:
        return self.version != self.applied_version


class LiveState(Protocol):
    """What a plan asks of the database, for one source: all answers are of one moment."""

    def live_tasks(self) -> dict[str, LiveTask]:
        """Return the source's live rows by name, without their specs."""
        ...

    def adopted_tasks(self, owners: Mapping[str, Owner]) -> dict[str, LiveTask]:
        """Return the live rows of these names, each with the source that has it."""
        ...

    def specs_of(self, ids: Collection[int]) -> dict[int, TaskSpec]:
        """Return the specs of the rows *ids*, by id, but for those that cannot be read."""
        ...

    def owners(self, names: Collection[str]) -> dict[str, Owner]:
        """Return, of *names*, those that a live row of any source bears, with that source."""
        ...

    def retired(self, names: Collection[str]) -> dict[str, int]:
        """Return, of *names*, those that the source retired, with the id of the newest such row."""
        ...

    def pauses(self, adopted: Collection[int] = ()) -> dict[int, Pause]:
        """Return the pauses over the source's tasks, also over retired ones, and over *adopted*, by id."""
        ...

    def place(self) -> Place | None:
        """Return where the source was last applied from; None when nothing was applied yet."""
        ...

    def revision(self) -> int | None:
        """Return the revision the source is at; None when nothing was applied yet."""
        ...

    def database(self) -> str:
        """Return the database's identity."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """The row of a task that had others once: its name and source now, or when it was retired."""

    id: int
    name: str
    source: str
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """The source that a live name belongs to, and where that declares it, as far as it is known."""

    source: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source's files are: `folder` within `repo`, or absolute where there is no repository.

    What is not known is None.
    """

    repo: str | None
    folder: str | None

    def __str__(self) -> str:
        known = [part for part in (self.folder, self.repo) if part]
        return " of ".join(known) or "an unknown place"


def is_elsewhere(before: Place, now: Place) -> bool:
    """Say whether the two are known to be different places; spellings of one address are not."""
    if before.repo and now.repo:
        if _address(before.repo) != _address(now.repo):
            return True
        relative = [
            place.folder for place in (before, now) if place.folder and not _is_absolute(place.folder)
        ]
        return len(relative) == 2 and relative[0] != relative[1]
    if before.folder is None or now.folder is None:
        return False
    if before.repo or now.repo:
        # One of them was deployed without its repository: all that is left to compare is a name.
        return _last(before.folder) != _last(now.folder)
    return before.folder != now.folder


def _address(repo: str) -> str:
    """Return what `https://me@host/a/b.git`, `ssh://git@host/a/b` and `git@host:a/b` have in common."""
    _, separator, rest = repo.partition("://")
    address = rest if separator else repo
    host, slash, path = address.partition("/")
    if not separator and ":" in host and not _is_absolute(repo):
        host, _, start = address.partition(":")
        slash, path = "/", start.lstrip("/")
    host = host.rpartition("@")[2].lower()
    return f"{host}{slash}{path}".rstrip("/").removesuffix(".git")


def _is_absolute(folder: str) -> bool:
    return folder.startswith(("/", "\\")) or folder[1:3] in (":\\", ":/")


def _last(folder: str) -> str:
    return folder.replace("\\", "/").rstrip("/").rpartition("/")[2]
