"""One commit's task files, read out of a bare repository: blobs as they are, whatever attributes say."""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from taskcfg.errors import UnreadableSource
from taskcfg.source.folders import BESIDE, SUFFIXES
from taskcfg.source.git.program import Git
from taskcfg.source.yaml_reader import LARGEST

_FOLDER, _LINK, _SUBMODULE = "040000", "120000", "160000"


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    id: str
    size: int
    path: str


def read_out(git: Git, commit: str, path: str, into: Path) -> Path:
    """Write the folder *path* of *commit*, with what belongs to it beside it, into the empty folder *into*.

    Returns where the folder is. Only what can be a task file is written, and where links within the
    repository lead. Raises UnreadableSource for a folder that is not there, a submodule in it or a link that
    leads out of the repository: none of that is "nothing there". Raises GitFailed.
    """
    shown = f"commit {commit[:12]}"
    folder = posixpath.normpath(path)
    above = posixpath.dirname(folder)
    beside = () if folder == "." else tuple(posixpath.join(above, name) for name in BESIDE)
    found = _Found(git, commit, shown)
    found.look_for([folder, *beside])
    place = into / folder
    found.write(into)
    if not place.is_dir():
        what = "is no folder" if os.path.lexists(place) else "is not there"
        raise UnreadableSource(
            f"{shown}: `{path}` {what}", hint="`git_path` says where the tasks are in the repository"
        )
    return place


class _Found:
    """The entries of a commit that are wanted, and those that links among them lead to."""

    def __init__(self, git: Git, commit: str, shown: str) -> None:
        self._git = git
        self._commit = commit
        self._shown = shown
        self._entries: dict[str, _Entry] = {}
        self._links: dict[str, str] = {}
        self._asked: set[str] = set()

    def look_for(self, paths: Sequence[str]) -> None:
        """Add what is at *paths* and below, and where links in it lead."""
        todo = list(paths)
        while todo:
            fresh = {entry.path: entry for path in todo for entry in self._list(path)}
            self._asked.update(todo)
            self._entries |= fresh
            links = [entry for entry in fresh.values() if entry.mode == _LINK]
            targets = [content.decode("utf-8", "surrogateescape") for content in self._contents(links)]
            todo = []
            for link, target in zip(links, targets, strict=True):
                self._links[link.path] = target
                there = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
                if posixpath.isabs(target) or there.split("/")[0] == "..":
                    self._refuse(link.path, "a link that leads out of the repository")
                if there not in self._asked:
                    todo.append(there)

    def write(self, into: Path) -> None:
        """Write them below *into*: links last, so that nothing is written through one."""
        files = [entry for entry in self._entries.values() if self._is_read(entry)]
        small = [entry for entry in files if entry.size <= LARGEST]
        for entry, content in zip(small, self._contents(small), strict=True):
            target = into / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for entry in files:
            if entry.size > LARGEST:  # as long as it is, and without content: nobody reads more than that
                (into / entry.path).parent.mkdir(parents=True, exist_ok=True)
                with (into / entry.path).open("wb") as stream:
                    stream.truncate(entry.size)
        for path in self._folders():
            (into / path).mkdir(parents=True, exist_ok=True)
        for path, leads_to in self._links.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).symlink_to(leads_to)
        top = os.path.realpath(into)
        for path in self._links:
            if not os.path.realpath(into / path).startswith(f"{top}{os.sep}"):
                self._refuse(path, "a link that leads out of the repository")

    def _is_read(self, entry: _Entry) -> bool:
        if entry.mode in (_LINK, _FOLDER):
            return False
        return entry.path.endswith(SUFFIXES) or entry.path in self._asked

    def _folders(self) -> Iterator[str]:
        yield from (entry.path for entry in self._entries.values() if entry.mode == _FOLDER)

    def _list(self, path: str) -> Iterator[_Entry]:
        where = [] if path == "." else ["--", path]
        listed = self._git.run("ls-tree", "-r", "-t", "-z", "-l", "--full-tree", self._commit, *where)
        for line in listed.split(b"\0")[:-1]:
            about, _, name = line.partition(b"\t")
            mode, _, id_, size = about.decode("ascii").split()
            entry = _Entry(mode, id_, int(size) if size.isdigit() else 0, os.fsdecode(name))
            if not _inside(entry.path, path):
                continue  # a folder on the way there
            if entry.mode == _SUBMODULE:
                self._refuse(entry.path, "a submodule, which is not fetched")
            if {"", ".", "..", ".git"} & set(entry.path.split("/")):
                self._refuse(entry.path, "no name for a file")
            yield entry

    def _contents(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        """Yield the contents of *entries*, in order, all asked for at once."""
        if not entries:
            return
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
            asked.write("".join(f"{entry.id}\n" for entry in entries).encode("ascii"))
            asked.seek(0)
            self._git.run("cat-file", "--batch", stdin=asked, stdout=answered)
            answered.seek(0)
            for entry in entries:
                yield self._content(answered, entry)

    def _content(self, stream: IO[bytes], entry: _Entry) -> bytes:
        header = stream.readline().split()
        if len(header) != 3 or header[0].decode("ascii") != entry.id:
            self._refuse(entry.path, "not in what was fetched")
        content = stream.read(int(header[2]))
        stream.read(1)
        return content

    def _refuse(self, path: str, what: str) -> None:
        raise UnreadableSource(
            f"{self._shown}: `{path}` is {what}", hint="nothing was applied; mend it in the repository"
        )


def _inside(path: str, folder: str) -> bool:
    return folder == "." or path == folder or path.startswith(f"{folder}/")
