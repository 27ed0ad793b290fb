"""Pausing and resuming tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taskcfg.control.documents import task_document
from taskcfg.control.names import choose_to_act
from taskcfg.errors import InvalidPause
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.selection import Selection
from taskcfg.store.database import Connection, Engine, database_time, writing
from taskcfg.store.pauses import Resumed, pause_tasks, resume_tasks
from taskcfg.store.task_list import TaskRow, task_rows
from taskcfg.store.text import storable

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class PauseReport:
    """The tasks that were chosen, by name, as they stand now, and what was done with them.

    `replaced` are pauses that were there before a pause, by the task's name; `resumed` those
    that a resume ended.
    """

    tasks: tuple[TaskRow, ...]
    replaced: Mapping[str, Pause] = field(default_factory=dict)
    resumed: Mapping[str, Resumed] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg pause` and `taskcfg resume`."""
        return {"tasks": [task_document(task) for task in self.tasks]}


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """Which tasks to stop, who says so, and why."""

    selection: Selection
    actor: str
    reason: str
    until: datetime | None
    missed: str


def pause(database: Engine, request: PauseRequest) -> PauseReport:
    """Pause the tasks: all of them, or none.

    Raises UnknownTask, RetiredTask, NoTaskMatches, and InvalidPause for a reason that says
    nothing and an end that is not to come.
    """
    reason = storable(request.reason.strip(), longest=LONGEST_REASON)
    if not reason:
        raise InvalidPause(
            "a pause needs a reason", hint="say why, for whoever looks next: an incident, a person"
        )
    with writing(database) as connection:
        now = database_time(connection)
        if request.until is not None and request.until <= now:
            raise InvalidPause(
                f"{request.until:%Y-%m-%d %H:%M:%S %Z} has passed", hint="a pause ends in the future"
            )
        chosen = choose_to_act(connection, request.selection)
        wanted = Pause(request.actor, reason, now, request.until, catch_up_named(request.missed))
        before = pause_tasks(connection, [row.id for row in chosen], wanted)
        tasks = _as_they_stand(connection, [row.id for row in chosen])
    return PauseReport(tasks, replaced={task.name: before[task.id] for task in tasks if task.id in before})


def resume(database: Engine, selection: Selection, missed: str | None) -> PauseReport:
    """End the pauses of the tasks: of all of them, or of none.

    Raises UnknownTask, RetiredTask, NoTaskMatches.
    """
    catch_up = None if missed is None else catch_up_named(missed)
    with writing(database) as connection:
        ids = [row.id for row in choose_to_act(connection, selection)]
        resumed = resume_tasks(connection, ids, catch_up)
        tasks = _as_they_stand(connection, ids)
    return PauseReport(tasks, resumed={each.task: each for each in resumed})


def catch_up_named(word: str) -> CatchUp:
    """Return what *word* says of missed fires. Raises InvalidPause."""
    try:
        return CatchUp(word)
    except ValueError as error:
        raise InvalidPause(
            f"`{word}` says nothing of missed fires", hint="`none`, `latest` or `all`"
        ) from error


def _as_they_stand(connection: Connection, ids: list[int]) -> tuple[TaskRow, ...]:
    return tuple(task_rows(connection, ids=ids))
