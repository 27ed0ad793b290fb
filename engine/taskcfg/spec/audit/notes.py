"""The tasks' own log against the books: whatever ran is recorded, and ran once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from taskcfg.spec.audit.books import AuditedAttempt, Note
from taskcfg.spec.audit.verdict import AuditFinding, Fault
from taskcfg.spec.fires import ExecutionState

BEGAN = "began"
ENDED = "ended"


def check_notes(
    notes: Iterable[Note], attempts: Iterable[AuditedAttempt], tasks: Mapping[UUID, str]
) -> Iterator[AuditFinding]:
    """Yield what *notes*, all that the tasks wrote, and *attempts*, all that are recorded, do not agree on.

    *tasks* are the names of the tasks by fire; of other fires' attempts nothing is known.
    """
    began, ended = _counted(notes)
    recorded = [each for each in attempts if each.fire_id in tasks]
    known = {_key(each) for each in recorded}
    for key, times in began.items():
        fire_id, attempt, celery_id = key
        task = tasks.get(fire_id, "?")
        if times > 1:
            yield AuditFinding(
                Fault.DOUBLE, task, f"attempt {attempt} began {times} times", ids=(fire_id, celery_id)
            )
        if key not in known:
            reason = f"attempt {attempt} began, and is not recorded"
            yield AuditFinding(Fault.CONTRADICTION, task, reason, ids=(fire_id, celery_id))
    yield from _unheard(recorded, ended, tasks)


def _unheard(
    recorded: Sequence[AuditedAttempt], ended: Counter[tuple[UUID, int, UUID]], tasks: Mapping[UUID, str]
) -> Iterator[AuditFinding]:
    """Yield the attempts that are said to have succeeded, and did not end once."""
    for each in recorded:
        times = ended[_key(each)]
        if each.state == ExecutionState.SUCCEEDED and times != 1:
            fault = Fault.DOUBLE if times else Fault.CONTRADICTION
            reason = f"attempt {each.attempt} succeeded, and its body ended {times} times"
            yield AuditFinding(fault, tasks[each.fire_id], reason, ids=(each.fire_id, each.id))


def _counted(
    notes: Iterable[Note],
) -> tuple[Counter[tuple[UUID, int, UUID]], Counter[tuple[UUID, int, UUID]]]:
    began: Counter[tuple[UUID, int, UUID]] = Counter()
    ended: Counter[tuple[UUID, int, UUID]] = Counter()
    for note in notes:
        counter = began if note.word == BEGAN else ended
        counter[note.fire_id, note.attempt, note.celery_id] += 1
    return began, ended


def _key(attempt: AuditedAttempt) -> tuple[UUID, int, UUID]:
    return attempt.fire_id, attempt.attempt, attempt.celery_id
