"""Everything taskcfg raises on purpose: a flat tree, each named for a state of affairs.

`code` is the stable word that JSON output carries; `hint` says what to do next.
Exit codes belong to the command line, which maps these classes to numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

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


class StalePlan(TaskcfgError):
    """The database moved on after the plan was made."""

    code = "stale_plan"

    def __init__(self, *, changed: Sequence[str]) -> None:
        self.changed = tuple(changed)
        super().__init__(
            f"{count(len(self.changed), 'task')} changed since the plan was made: {', '.join(self.changed)}",
            hint="run `taskcfg plan` again",
        )


class LockTimeout(TaskcfgError):
    """Another apply holds the lock, for longer than we were told to wait."""

    code = "lock_timeout"


class UnsafePlan(TaskcfgError):
    """A guard refuses the plan; `flag` is what says yes to it. Nothing was changed."""

    code = "unsafe_plan"

    def __init__(self, message: str, *, flag: str) -> None:
        self.flag = flag
        super().__init__(message, hint=f"if this is meant, say so with `{flag}`")


class NameTaken(TaskcfgError):
    """A live task of another source bears the name. Nothing was changed."""

    code = "name_taken"

    def __init__(self, name: str, *, owner: str, source: str) -> None:
        self.name = name
        self.owner = owner
        super().__init__(
            f"task `{name}` belongs to source `{owner}`: source `{source}` cannot declare it too",
            hint=f"choose another name, or delete it from source `{owner}` first",
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


class WrongEnvironment(TaskcfgError):
    """The database belongs to another environment."""

    code = "wrong_environment"


class BrokerUnavailable(TaskcfgError):
    """The broker cannot be reached, or did not confirm."""

    code = "broker_unavailable"


class AlreadyRunning(TaskcfgError):
    """Another `taskcfg up` serves this folder."""

    code = "already_running"


def count(number: int, noun: str) -> str:
    """Return `1 task`, `2 tasks`: a number with its noun in the right form."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
