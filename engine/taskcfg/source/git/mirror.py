"""A bare copy of one ref of a repository, kept under `.taskcfg/git`, and its commits read out."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from taskcfg.clock import Clock
from taskcfg.errors import UnreachableRepository, UnreadableSource
from taskcfg.failpoints import failpoint
from taskcfg.source.git.address import Address
from taskcfg.source.git.program import SLOW, Git, GitFailed
from taskcfg.source.git.tree import read_out

LOCK_PATIENCE = 60.0
"""Seconds to wait for another process that uses the same copy."""

_REF = "refs/taskcfg/fetched"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LEFT_OVER = "read-"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that was fetched."""

    id: str
    author: str
    subject: str


class Mirror:
    """What *ref* of the repository at *address* says, in a bare copy below *folder* that processes share.

    A copy that was left half written, or is damaged, is mended or made anew.
    """

    def __init__(self, address: Address, ref: str, folder: Path, clock: Clock) -> None:
        digest = hashlib.sha256(f"{address.url}\0{ref}".encode()).hexdigest()[:16]
        self._address = address
        self._ref = ref
        self._folder = folder / digest
        self._clock = clock
        self._git = Git(self._folder / "mirror", address)

    def fetch(self) -> Commit:
        """Return the commit that the ref is at now, fetched.

        Raises UnreachableRepository when the host, the repository or the program does not answer, and
        UnreadableSource when there is no such ref.
        """
        with self._held():
            try:
                return self._fetch_once()
            except GitFailed as error:
                if self._sound():
                    raise self._unreachable(error) from error
            shutil.rmtree(self._git.folder, ignore_errors=True)
            try:
                return self._fetch_once()
            except GitFailed as error:
                raise self._unreachable(error) from error

    @property
    def shown(self) -> str:
        """The repository's address, as it may be shown."""
        return self._address.shown

    def look(self) -> str:
        """Return what the ref is at, and fetch nothing. Raises what `fetch` raises."""
        if _COMMIT.fullmatch(self._ref):
            self._listed(["HEAD"])
            return self._ref
        return self._resolved()[1]

    def known(self, commit: str) -> Commit | None:
        """Return *commit* if it was fetched before, without asking the host."""
        with self._held():
            try:
                self._git.run("cat-file", "-e", f"{commit}^{{commit}}")
                return self._commit(commit)
            except GitFailed:
                return None

    @contextmanager
    def reading(self, commit: Commit, path: str) -> Iterator[Path]:
        """Lend a folder with *path* as it is in *commit*, which was fetched, until the end of the block.

        Its parent stands for the parent of *path* in the repository. Raises UnreadableSource, and
        UnreachableRepository when the copy is damaged: the next fetch makes a new one.
        """
        with self._held(), self._scratch() as read:
            failpoint("git.before_read")
            try:
                place = read_out(self._git, commit.id, path, read)
            except GitFailed as error:
                shutil.rmtree(self._git.folder, ignore_errors=True)
                raise self._unreachable(error) from error
            except OSError as error:
                raise UnreadableSource(f"commit {commit.id[:12]}: {error}") from error
            failpoint("git.after_read")
            yield place

    def stop(self) -> None:
        """End what git does, from any thread; nothing can be fetched any more."""
        self._git.stop()

    def _fetch_once(self) -> Commit:
        self._prepare()
        return self._commit(self._fetched())

    def _fetched(self) -> str:
        """Fetch, and return what is to be read."""
        if _COMMIT.fullmatch(self._ref):
            if not self._has(self._ref):
                self._fetch(self._ref)
            return self._ref
        name, id_ = self._resolved()
        if self._at() != id_ or not self._has(id_):
            self._fetch(name)
        return _REF

    def _resolved(self) -> tuple[str, str]:
        """Return the ref's whole name and what it is at; a branch goes before a tag of the same name."""
        names = [f"refs/heads/{self._ref}", f"refs/tags/{self._ref}"]
        names = [self._ref] if self._ref == "HEAD" or self._ref.startswith("refs/") else names
        found = self._listed(names)
        for name in names:
            if name in found:
                return name, found[name]
        raise UnreadableSource(
            f"{self._address.shown} has no branch or tag `{self._ref}`",
            hint="nothing was applied; `git_ref` says which one is followed",
        )

    def _listed(self, names: Sequence[str]) -> dict[str, str]:
        """Return what the host has at those of the whole *names* that are there."""
        try:
            told = self._git.run("ls-remote", "--", self._address.url, *names, anywhere=True)
        except GitFailed as error:
            raise self._unreachable(error) from error
        lines = told.decode("utf-8", "replace").splitlines()
        return {name: id_ for id_, _, name in (line.partition("\t") for line in lines)}

    def _fetch(self, what: str) -> None:
        failpoint("git.before_fetch")
        self._git.run(
            "fetch", "--quiet", "--force", "--no-tags", "--depth=1", "--no-recurse-submodules",
            "--", self._address.url, f"+{what}:{_REF}", patience=SLOW,
        )  # fmt: skip
        failpoint("git.after_fetch")
        with suppress(GitFailed):  # only tidying: the next fetch tries it again
            self._git.run(
                "-c", "gc.auto=2000", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet", patience=SLOW
            )

    def _sound(self) -> bool:
        """Say whether the copy is whole, so that what failed is not its fault."""
        if self._at() is None:
            return False
        try:
            self._git.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress", patience=SLOW)
        except GitFailed:
            return False
        return True

    def _has(self, id_: str) -> bool:
        try:
            self._git.run("cat-file", "-e", f"{id_}^{{tree}}")
        except GitFailed:
            return False
        return True

    def _at(self) -> str | None:
        try:
            return self._git.run("rev-parse", "--quiet", "--verify", _REF).decode("ascii").strip()
        except GitFailed:
            return None

    def _commit(self, what: str) -> Commit:
        told = self._git.run(
            "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%an <%ae>%x00%s", what
        )
        id_, author, subject = told.decode("utf-8", "replace").rstrip("\n").split("\0", 2)
        return Commit(id_, author, subject)

    def _prepare(self) -> None:
        """Have the bare repository there. We hold the lock: what others left in it is nobody's."""
        for left in self._folder.glob(f"{_LEFT_OVER}*"):
            shutil.rmtree(left, ignore_errors=True)
        for lock in self._git.folder.rglob("*.lock"):
            lock.unlink(missing_ok=True)
        for pack in self._git.folder.glob("objects/pack/tmp_*"):
            pack.unlink(missing_ok=True)
        if not (self._git.folder / "refs").is_dir() or not (self._git.folder / "HEAD").is_file():
            self._git.run("init", "--quiet", "--bare", "--template=", str(self._git.folder))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        try:
            folder = Path(tempfile.mkdtemp(prefix=_LEFT_OVER, dir=self._folder))
        except OSError as error:
            raise UnreadableSource(f"cannot write to {self._folder}: {error.strerror}") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock over the copy. A git that outlives its scheduler holds it on until it ends."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / "lock").open("ab")
        except OSError as error:
            raise UnreadableSource(f"cannot write to {self._folder}: {error.strerror}") from error
        with file:
            deadline = self._clock.monotonic() + LOCK_PATIENCE
            while not _locked(file.fileno()):
                if self._clock.monotonic() > deadline:
                    raise UnreachableRepository(self._address.shown, "another process is still fetching it")
                self._clock.sleep(0.05)
            self._git.kept_open = (file.fileno(),)
            yield

    def _unreachable(self, error: GitFailed) -> UnreachableRepository:
        return UnreachableRepository(self._address.shown, str(error))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
