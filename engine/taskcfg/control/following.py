"""Where a source's files are followed: a folder, or a ref of a git repository."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from taskcfg.clock import Clock
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout
from taskcfg.source.git.address import address_of
from taskcfg.source.git.mirror import Commit, Mirror
from taskcfg.store import revisions
from taskcfg.store.database import Engine, reading
from taskcfg.store.revisions import Standing
from taskcfg.sync import Desired, load_desired, make_plan
from taskcfg.types.registry import Registry

SECOND_LOOK = 0.5
"""Seconds until a folder in which a task is missing is read again, before the task is deleted."""

GIT = "git"
"""The folder of copies of repositories, below `.taskcfg`."""


class Followed(Protocol):
    """Where desired state is read from, again and again. `seen` is the commit that was read last, if any."""

    seen: Commit | None

    def read(self, database: Engine) -> tuple[Desired, Standing | None]:
        """Return what the files say now, and how the source must stand still for it to be applied.

        Raises InvalidTaskFiles, UnreadableSource, UnreachableRepository.
        """
        ...

    def last(self, standing: Standing) -> Desired | None:
        """Return what was applied last, where it is still at hand though nothing new can be read."""
        ...

    def stop(self) -> None:
        """End what is under way, from another thread."""
        ...


class FollowedFolder:
    """The tasks folder of the project."""

    def __init__(self, settings: Settings, registry: Registry, clock: Clock) -> None:
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self.seen: Commit | None = None

    def read(self, database: Engine) -> tuple[Desired, Standing | None]:
        desired = load_desired(self._settings, self._registry)
        plan = make_plan(database, desired, self._settings.source).plan
        if plan.summary.delete:
            # An editor or a checkout may be half way through: a deletion counts when a second look agrees.
            self._clock.sleep(SECOND_LOOK)
            desired = load_desired(self._settings, self._registry)
        return desired, None

    def last(self, standing: Standing) -> Desired | None:
        return None

    def stop(self) -> None:
        """Reading a folder ends by itself."""


class FollowedRepository:
    """A ref of a git repository: whole commits of it, and never an older one after a newer one.

    The source's standing is read before the ref, and must be the same when the commit is applied: nobody who
    read the ref later has applied in between. So the ref is followed wherever it goes, back too.
    """

    def __init__(self, settings: Settings, registry: Registry, clock: Clock) -> None:
        self._settings = settings
        self._registry = registry
        self._mirror = mirror_of(settings, clock)
        self.seen: Commit | None = None

    def read(self, database: Engine) -> tuple[Desired, Standing | None]:
        with reading(database) as connection:
            standing = revisions.standing_of(connection, self._settings.source)
        self.seen = None
        self.seen = self._mirror.fetch()
        return self._load(self.seen), standing

    def last(self, standing: Standing) -> Desired | None:
        commit = None if standing.commit is None else self._mirror.known(standing.commit)
        return None if commit is None else self._load(commit)

    def stop(self) -> None:
        self._mirror.stop()

    def _load(self, commit: Commit) -> Desired:
        path = self._settings.git_path
        with self._mirror.reading(commit, path) as folder:
            top = folder
            for _ in () if path == "." else path.split("/"):
                top = top.parent
            there = replace(self._settings, project_root=top, tasks_dir=folder)
            desired = load_desired(there, self._registry)
        checkout = Checkout(self._mirror.shown, path, commit.id, commit.author, commit.subject, False)
        return replace(desired, folder=path, checkout=checkout)


def mirror_of(settings: Settings, clock: Clock) -> Mirror:
    """Return the copy of the ref at `git_url`, which is set."""
    assert settings.git_url is not None
    address = address_of(settings.git_url, settings.project_root)
    return Mirror(address, settings.git_ref, settings.state_folder / GIT, clock)


def followed(settings: Settings, registry: Registry, clock: Clock) -> Followed:
    """Return what the settings say is followed: the repository at `git_url`, or the tasks folder."""
    kind = FollowedFolder if settings.git_url is None else FollowedRepository
    return kind(settings, registry, clock)
