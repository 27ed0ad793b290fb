"""Everything taskcfg raises on purpose: a flat tree, each named for a state of affairs.

`code` is the stable word that JSON output carries; `hint` says what to do next.
Exit codes belong to the command line, which maps these classes to numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taskcfg.problems import Problem


class TaskcfgError(Exception):
    """Something is not as it must be; the message is one clear sentence for a person."""

    code = "error"
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        return str(self.args[0])


class InvalidSettings(TaskcfgError):
    """taskcfg.toml, a TASKCFG_ variable or a flag cannot be used as it is."""

    code = "invalid_settings"


class InvalidTaskFiles(TaskcfgError):
    """The task files hold at least one problem; nothing was changed."""

    code = "invalid_task_files"

    def __init__(self, problems: Sequence[Problem], *, files: int) -> None:
        self.problems = tuple(problems)
        self.files = files
        bad = len({problem.position.file for problem in self.problems})
        super().__init__(
            f"{count(len(self.problems), 'problem')} in {bad} of {count(files, 'file')}",
            hint="run `taskcfg validate` to see them; nothing was changed",
        )


class UnreadableSource(TaskcfgError):
    """The folder of task files could not be read. Never the same as an empty folder."""

    code = "unreadable_source"


class UnreachableRepository(TaskcfgError):
    """The git repository that is followed does not answer, or refuses us. Never the same as an empty one."""

    code = "unreachable_repository"
    hint = (
        "what was applied stays in force, and it is tried again; `git ls-remote` with the same URL tells more"
    )

    def __init__(self, repository: str, reason: str) -> None:
        self.repository = repository
        super().__init__(f"{repository} cannot be fetched: {reason}")


class Overtaken(TaskcfgError):
    """Somebody applied to the source after the files to be applied were read. Nothing was changed."""

    code = "overtaken"
    hint = "read the files again, and then apply"

    def __init__(self, source: str) -> None:
        super().__init__(f"source `{source}` was applied by somebody else meanwhile")


class SyncUnanswered(TaskcfgError):
    """No scheduler did what `sync` asked for, or none has ended with it in time."""

    code = "sync_unanswered"


class SecretUnavailable(TaskcfgError):
    """A secret that a task refers to cannot be found or read on the worker. Never tells a value."""

    code = "secret_unavailable"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"secret `{name}`: {reason}", hint="docs/settings.md says where secrets are looked for"
        )

    def __reduce__(self) -> tuple[type[SecretUnavailable], tuple[str, str]]:
        return SecretUnavailable, (self.name, self.reason)


class UnknownType(TaskcfgError):
    """A task names a type that no module registers."""

    code = "unknown_type"


class InvalidType(TaskcfgError):
    """A module of types cannot be imported, or declares a type that cannot work."""

    code = "invalid_type"


class InvalidParams(TaskcfgError):
    """Parameters given at run time do not fit the task's type."""

    code = "invalid_params"

    def __init__(self, task: str, reasons: Sequence[str]) -> None:
        self.task = task
        self.reasons = tuple(reasons)
        super().__init__(f"params of `{task}`: {'; '.join(self.reasons)}")


class UnknownEnvironment(TaskcfgError):
    """No environment has that name: `taskcfg.toml` does not name it, and it has no file."""

    code = "unknown_environment"


class UnknownSource(TaskcfgError):
    """Nothing was applied for that source, and for others there was."""

    code = "unknown_source"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        listed = ", ".join(f"`{each}`" for each in known)
        super().__init__(f"nothing was applied for source `{name}`", hint=f"this database has {listed}")


class UnknownTask(TaskcfgError):
    """No live task has that name."""

    code = "unknown_task"

    def __init__(self, name: str, *, did_you_mean: str | None = None) -> None:
        self.name = name
        hint = f"did you mean `{did_you_mean}`?" if did_you_mean else "`taskcfg list` shows all tasks"
        super().__init__(f"no task is named `{name}`", hint=hint)


class NoTaskMatches(TaskcfgError):
    """A glob or a selector was given to act on, and no task is what it asks for. Nothing was done."""

    code = "no_task_matches"

    def __init__(self, what: str) -> None:
        super().__init__(f"no task matches {what}", hint="`taskcfg list` shows all tasks and their labels")


class RetiredTask(TaskcfgError):
    """The task was deleted; its history is kept, but it no longer runs."""

    code = "retired_task"


class InvalidPause(TaskcfgError):
    """A pause without a reason, or that has ended before it begins. Nothing was paused."""

    code = "invalid_pause"


class UnknownFire(TaskcfgError):
    """No fire has that id, or several have one that begins so."""

    code = "unknown_fire"


class FireNotReady(TaskcfgError):
    """A fire is not in a state for what is asked of it. Nothing was changed."""

    code = "fire_not_ready"


class UnknownRevision(TaskcfgError):
    """No applied plan has that number, or it is one of another source."""

    code = "unknown_revision"

    def __init__(self, number: int, *, source: str | None = None, owner: str | None = None) -> None:
        self.number = number
        said = f"there is no revision {number}"
        if owner is not None:
            said = f"revision {number} is one of source `{owner}`, and this is `{source}`"
        super().__init__(said, hint="`taskcfg revisions` lists them")


class StalePlan(TaskcfgError):
    """Files or rows moved on after the plan was made. `changed` are the tasks, or the files of a saved plan;
    `reasons` say of each what moved, and who moved it where that is known."""

    code = "stale_plan"

    def __init__(self, *, changed: Sequence[str], what: str = "task", reasons: Sequence[str] = ()) -> None:
        self.changed = tuple(changed)
        self.reasons = tuple(reasons)
        named = "; ".join(self.reasons) or ", ".join(self.changed)
        super().__init__(
            f"{count(len(self.changed), what)} changed since the plan was made: {named}",
            hint="run `taskcfg plan` again",
        )


class InvalidPlanFile(TaskcfgError):
    """What was given as a saved plan is none, or not one of this project's."""

    code = "invalid_plan_file"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"{place} cannot be applied: {reason}", hint="write it with `taskcfg plan --out FILE`"
        )


class InvalidSnapshot(TaskcfgError):
    """What was given as a snapshot is none, is damaged, or is of another source."""

    code = "invalid_snapshot"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"{place} cannot be planned against: {reason}", hint="write it with `taskcfg snapshot --out FILE`"
        )


class LockTimeout(TaskcfgError):
    """Another apply holds the lock, for longer than we were told to wait. `holder` says who, and since when,
    where that is known."""

    code = "lock_timeout"

    def __init__(self, seconds: float, holder: str | None = None) -> None:
        self.holder = holder
        named = "" if holder is None else f": {holder}"
        super().__init__(
            f"another apply still holds the lock after {seconds:g} s{named}",
            hint="wait for it and try again, or wait longer with `--lock-timeout`",
        )


class UnsafePlan(TaskcfgError):
    """A guard refuses the plan; `flag` is what says yes to it. Nothing was changed."""

    code = "unsafe_plan"

    def __init__(self, message: str, *, flag: str) -> None:
        self.flag = flag
        super().__init__(message, hint=f"if this is meant, say so with `{flag}`")


class NameTaken(TaskcfgError):
    """Live tasks of another source bear these names; `owners` says which source. Nothing was changed."""

    code = "name_taken"

    def __init__(self, owners: Mapping[str, str], *, source: str, places: Mapping[str, str]) -> None:
        self.owners = dict(owners)
        names = sorted(self.owners)
        each = [
            f"task `{name}` belongs to source `{self.owners[name]}`{places.get(name, '')}" for name in names
        ]
        them = "it" if len(names) == 1 else "them"
        flags = " ".join(f"--adopt {name}" for name in names)
        super().__init__(
            f"{'; '.join(each)}: source `{source}` cannot declare {them} too",
            hint=f"choose another name, delete {them} there first, or take {them} over with `{flags}`",
        )


class ApprovalNeeded(TaskcfgError):
    """There are changes, nobody approved them, and there is no terminal to ask at."""

    code = "approval_needed"


class DatabaseUnavailable(TaskcfgError):
    """The database cannot be reached, or broke off."""

    code = "database_unavailable"


class SchemaMismatch(TaskcfgError):
    """The database's tables are missing, older, or newer than this version's."""

    code = "schema_mismatch"


class SchemaInUse(TaskcfgError):
    """An upgrade would break schedulers or workers that are alive."""

    code = "schema_in_use"
    hint = "stop them, run `taskcfg db upgrade` again, and start them with the new version"

    def __init__(self, *, steps: Sequence[str], alive: Sequence[str]) -> None:
        self.steps = tuple(steps)
        self.alive = tuple(alive)
        super().__init__(f"schema {', '.join(steps)} breaks what is alive: {', '.join(alive)}")


class WrongEnvironment(TaskcfgError):
    """The database, or the snapshot that stands for it, belongs to another environment."""

    code = "wrong_environment"

    def __init__(self, what: str, stamped: str, asked: str | None) -> None:
        self.stamped = stamped
        wanted = f"`{asked}`" if asked else "no environment"
        super().__init__(
            f"{what} belongs to environment `{stamped}`, and this command is for {wanted}",
            hint=f"use `--env {stamped}`, or another `database_url`",
        )


class BrokerUnavailable(TaskcfgError):
    """The broker cannot be reached, or did not confirm."""

    code = "broker_unavailable"


class AlreadyRunning(TaskcfgError):
    """Another `taskcfg up` serves this folder."""

    code = "already_running"


def count(number: int, noun: str) -> str:
    """Return `1 task`, `2 tasks`: a number with its noun in the right form."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
