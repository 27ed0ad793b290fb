"""Whether a fire's state, its attempts and its ids say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

from taskcfg.spec.audit.books import AuditedAttempt, AuditedFire, AuditedTask
from taskcfg.spec.audit.verdict import AuditFinding, Fault
from taskcfg.spec.fires import (
    LIVE_STATES,
    EventKind,
    EventState,
    ExecutionState,
    celery_id,
    missed_key,
    scheduled_key,
)

_STATES = frozenset(EventState)
UNSTARTED = (EventState.SKIPPED, EventState.MISSED, EventState.EXPIRED)
"""The states of a fire that no attempt was ever made at."""

_DONE_AFTER = (
    ExecutionState.SUCCEEDED,
    ExecutionState.FAILED,
    ExecutionState.TIMED_OUT,
    ExecutionState.LOST,
)
_NOT_AFTER_SUCCESS = (*LIVE_STATES, EventState.DEAD, EventState.CANCELLED)


class FireCheck:
    """Looks at one fire of a task with all its attempts. *database* is the id that dispatch ids come from."""

    def __init__(self, database: UUID, task: AuditedTask) -> None:
        self._database = database
        self._task_id = task.id
        self._task = task.name
        self._redispatched_since = task.redispatched_since

    def findings(self, fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[AuditFinding]:
        """Yield what contradicts itself, and what happened twice."""
        for check in (self._identity, _numbers, _times, _state, self._end):
            for reason in check(fire, attempts):
                yield self._finding(Fault.CONTRADICTION, reason, fire)
        for reason, ids in _twice(attempts):
            yield AuditFinding(Fault.DOUBLE, self._task, reason, fire.nominal_at, ids=(fire.id, *ids))
        if fire.state == EventState.DONE and fire.gated and not attempts:
            yield self._finding(Fault.GAP, "it is done, and no attempt was made", fire)

    def _identity(self, fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[str]:
        if fire.kind == EventKind.SCHEDULED:
            key = missed_key if fire.state == EventState.MISSED else scheduled_key
            if fire.dedupe_key != key(fire.nominal_at):
                yield f"its key `{fire.dedupe_key}` is not that of its nominal time"
        if fire.celery_id is not None and fire.celery_id != self._dispatch_id(fire, fire.dispatch_no):
            yield f"its id {fire.celery_id} is not that of dispatch {fire.dispatch_no}"
        for each in attempts:
            if each.celery_id != self._dispatch_id(fire, each.dispatch_no):
                yield f"the id of attempt {each.attempt} is not that of dispatch {each.dispatch_no}"

    def _end(self, fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[str]:
        last = max(attempts, key=lambda each: each.attempt, default=None)
        if last is None or last.state == ExecutionState.RUNNING:
            return
        if last.state == ExecutionState.SUCCEEDED and fire.state in _NOT_AFTER_SUCCESS:
            yield f"it is {fire.state}, and its last attempt succeeded"
        if fire.state != EventState.DONE:
            return
        if last.state not in _DONE_AFTER:
            yield f"it is {fire.state}, and its last attempt is {last.state}"
        since, ended = self._redispatched_since, last.finished_at
        if last.state == ExecutionState.LOST and since is not None and ended is not None and ended > since:
            yield "it is done, its last attempt is lost, and its task says `delivery: at_least_once`"

    def _dispatch_id(self, fire: AuditedFire, number: int) -> UUID:
        return celery_id(self._database, self._task_id, fire.dedupe_key, number)

    def _finding(self, fault: Fault, reason: str, fire: AuditedFire) -> AuditFinding:
        return AuditFinding(fault, self._task, reason, fire.nominal_at, ids=(fire.id,))


def _numbers(fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[str]:
    numbers = sorted(each.attempt for each in attempts)
    if numbers != list(range(1, fire.attempts + 1)):
        listed = ", ".join(map(str, numbers)) or "none"
        yield f"it counts {fire.attempts} attempts, and there are: {listed}"
    ahead = [each.dispatch_no for each in attempts if each.dispatch_no > fire.dispatch_no]
    if ahead:
        yield f"an attempt was made under dispatch {max(ahead)}, and it is at dispatch {fire.dispatch_no}"
    lost = sum(each.state == ExecutionState.LOST for each in attempts)
    if fire.lost_count > lost:
        yield f"it counts {fire.lost_count} lost attempts, and there are {lost}"


def _times(fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[str]:
    if fire.fire_at < fire.nominal_at:
        yield "its fire time is before its nominal time"
    for each in attempts:
        if each.finished_at is not None and each.finished_at < each.started_at:
            yield f"attempt {each.attempt} ended before it began"
        if (each.finished_at is None) != (each.state == ExecutionState.RUNNING):
            yield f"attempt {each.attempt} is {each.state}, and has {'an' if each.finished_at else 'no'} end"


def _state(fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> Iterator[str]:
    if fire.state not in _STATES:
        yield f"`{fire.state}` is no state of a fire"
    running = [each for each in attempts if each.state == ExecutionState.RUNNING]
    if running and fire.state != EventState.PUBLISHED:
        yield f"it is {fire.state}, and attempt {running[0].attempt} is running"
    if attempts and fire.state in UNSTARTED:
        yield f"it is {fire.state}, and was attempted"
    if fire.state == EventState.MISSED and (fire.span_end is None or not fire.span_count):
        yield "it is missed, and does not say what of"
    elif fire.state != EventState.MISSED and fire.span_end is not None:
        yield f"it is a span of several nominal times, and {fire.state}"
    if fire.state == EventState.DEAD and not fire.reason:
        yield "it is dead, and no reason is given"


def _twice(attempts: Sequence[AuditedAttempt]) -> Iterator[tuple[str, tuple[UUID, ...]]]:
    keys = Counter((each.dispatch_no, each.celery_retry) for each in attempts)
    for (number, retry), times in keys.items():
        if times > 1:
            ids = [e.id for e in attempts if (e.dispatch_no, e.celery_retry) == (number, retry)]
            yield f"dispatch {number} was started {times} times", tuple(ids)
    succeeded = [each.id for each in attempts if each.state == ExecutionState.SUCCEEDED]
    if len(succeeded) > 1:
        yield f"it succeeded {len(succeeded)} times", tuple(succeeded)
