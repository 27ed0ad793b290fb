"""The type `cleanup`: removes what is old: fires that ended, finished executions, or files."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from taskcfg.clock import Clock, SystemClock
from taskcfg.types.declare import task_type
from taskcfg.types.params import Params

if TYPE_CHECKING:
    from sqlalchemy import Engine

Value = TypeVar("Value")

_LATER = ("rows",)

_FINISHED = """
    DELETE FROM task_execution WHERE id IN (
        SELECT x.id FROM task_execution AS x
        JOIN schedule_event AS e ON e.id = x.schedule_event_id
        WHERE x.started_at < {cutoff} AND x.finished_at < {cutoff} AND x.state <> 'running'
        AND e.state NOT IN ('pending', 'waiting', 'published')
        ORDER BY x.started_at LIMIT :batch {lock}
    )
"""
# The same fires as `taskcfg purge --older-than`; by the primary key, in the order of recording.
_ENDED = """
    SELECT x.id FROM schedule_event AS x
    WHERE x.created_at < {cutoff} AND coalesce(x.done_at, x.created_at) < {cutoff}
    AND x.state NOT IN ('pending', 'waiting', 'published')
    ORDER BY x.id LIMIT :batch {lock}
"""
_WITH_ATTEMPTS = (
    "DELETE FROM task_execution WHERE schedule_event_id IN :ids",
    "DELETE FROM schedule_event WHERE id IN :ids",
)
# The database's clock decides what is old; SQLite keeps instants as microseconds.
_DIALECTS = {
    "postgresql": {"cutoff": "now() - make_interval(secs => :age)", "lock": "FOR UPDATE OF x SKIP LOCKED"},
    "sqlite": {
        "cutoff": "(julianday('now') - 2440587.5) * 86400000000 - :age * 1000000",
        "lock": "",
    },
}


Target = Literal["execution_history", "schedule_events", "files"]


class CleanupParams(Params):
    """What to remove, and from which age on.

    `execution_history` removes finished executions of finished fires, `batch` in a transaction.
    `schedule_events` removes fires that ended, with their executions, in the same way.
    `files` removes regular files in `path` and below whose name matches `pattern`, but follows
    no symbolic link; a relative `path` is counted from the project's folder. With `dry_run`
    files are counted and not removed.
    """

    target: Target = Field(description="What is cleaned")
    older_than: timedelta = Field(description="What is younger stays", examples=["30d"])
    path: str | None = Field(default=None, description="The folder of the files")
    pattern: str = Field(default="*", description="Which files, by their names: `*.log`")
    dry_run: bool = Field(default=False, description="Count the files, and remove none")
    batch: int = Field(
        default=1000, ge=1, le=100_000, description="Executions or fires removed in one transaction"
    )

    @field_validator("target", mode="before", json_schema_input_type=Target)
    @classmethod
    def _not_yet(cls, target: Any) -> Any:
        if target in _LATER:
            raise PydanticCustomError("later", f"`{target}` is not supported by this version of taskcfg")
        return target

    @field_validator("path")
    @classmethod
    def _for_files(cls, path: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("target") == "files" and not path:
            raise PydanticCustomError("absent", "missing: `files` needs the folder to clean")
        return _only_for_files(path, path is not None, info)

    @field_validator("pattern")
    @classmethod
    def _plain_pattern(cls, pattern: str, info: ValidationInfo) -> str:
        if not pattern or "/" in pattern:
            raise PydanticCustomError("pattern", "expected a pattern of file names, such as `*.log`")
        return _only_for_files(pattern, pattern != "*", info)

    @field_validator("dry_run")
    @classmethod
    def _dry_files(cls, dry_run: bool, info: ValidationInfo) -> bool:
        return _only_for_files(dry_run, dry_run, info)


def _only_for_files(value: Value, given: bool, info: ValidationInfo) -> Value:
    if given and info.data.get("target", "files") != "files":
        raise PydanticCustomError("unfit", "only for `target: files`")
    return value


class IncompleteCleanup(Exception):
    """Something could not be read or removed; what could be, was."""


@task_type("cleanup")
def cleanup(params: CleanupParams) -> dict[str, int]:
    """Remove fires that ended, finished executions, or files, that are older than an age."""
    from taskcfg.types.surroundings import settings_at_work

    settings = settings_at_work()
    if params.target == "files":
        folder = settings.project_root / Path(params.path or "").expanduser()
        return remove_old_files(folder, params, SystemClock())
    from sqlalchemy import NullPool, create_engine

    database = create_engine(
        settings.database_url.replace("postgres://", "postgresql://", 1), poolclass=NullPool
    )
    remove = remove_old_events if params.target == "schedule_events" else remove_old_executions
    return remove(database, params)


def remove_old_executions(database: Engine, params: CleanupParams) -> dict[str, int]:
    """Delete finished executions older than `older_than`, `batch` in each transaction."""
    from sqlalchemy import text

    statement = text(_FINISHED.format(**_DIALECTS[database.dialect.name]))
    values = {"age": params.older_than.total_seconds(), "batch": params.batch}
    removed = batches = 0
    while True:
        with database.begin() as connection:
            count = connection.execute(statement, values).rowcount
        removed, batches = removed + count, batches + (count > 0)
        if count < params.batch:
            return {"executions": removed, "batches": batches}


def remove_old_events(database: Engine, params: CleanupParams) -> dict[str, int]:
    """Delete fires that ended `older_than` ago, with their executions, `batch` in each transaction."""
    from sqlalchemy import bindparam, text

    found = text(_ENDED.format(**_DIALECTS[database.dialect.name]))
    values = {"age": params.older_than.total_seconds(), "batch": params.batch}
    statements = [text(each).bindparams(bindparam("ids", expanding=True)) for each in _WITH_ATTEMPTS]
    executions = events = batches = 0
    while True:
        with database.begin() as connection:
            ids = connection.execute(found, values).scalars().all()
            rows = [connection.execute(each, {"ids": ids}).rowcount if ids else 0 for each in statements]
        executions, events, batches = executions + rows[0], events + rows[1], batches + bool(ids)
        if len(ids) < params.batch:
            return {"events": events, "executions": executions, "batches": batches}


def remove_old_files(folder: Path, params: CleanupParams, clock: Clock) -> dict[str, int]:
    """Remove the files in *folder* and below that match, and return their number and bytes.

    Raises OSError when the folder itself is not there or unreadable, and IncompleteCleanup,
    having removed what it could, when something in it is.
    """
    folder = folder.resolve(strict=True)
    if folder == Path(folder.anchor):
        raise IncompleteCleanup(f"{folder} is the whole file system: name a folder in it")
    os.scandir(folder).close()
    newest = clock.now().timestamp() - params.older_than.total_seconds()
    failures: list[OSError] = []
    count = size = 0
    for name, descriptor in _files_below(folder, params.pattern, failures):
        try:
            removed = _remove(name, descriptor, newest, dry_run=params.dry_run)
        except OSError as error:
            failures.append(error)
            continue
        if removed is not None:
            count, size = count + 1, size + removed
    if failures:
        raise IncompleteCleanup(
            f"{count} files with {size} bytes removed, but {len(failures)} failed; first {failures[0]}"
        )
    return {"files": count, "bytes": size}


def _remove(name: str, descriptor: int, newest: float, *, dry_run: bool) -> int | None:
    """Remove the regular file if it is old enough and return its size; None when it stays."""
    try:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or found.st_mtime > newest:
            return None
        if not dry_run:
            os.unlink(name, dir_fd=descriptor)
    except FileNotFoundError:
        return None  # somebody else was faster
    return found.st_size


def _files_below(folder: Path, pattern: str, failures: list[OSError]) -> Iterator[tuple[str, int]]:
    """Yield each name that matches with a descriptor of its folder.

    What is done through a descriptor stays in that folder, even when somebody puts a symbolic
    link in its place meanwhile.
    """
    for _, _, names, descriptor in os.fwalk(folder, onerror=failures.append, follow_symlinks=False):
        for name in fnmatch.filter(names, pattern):
            yield name, descriptor
