"""Which schedule a task had when, as far as its row and the revisions tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from taskcfg.spec.audit.books import Era
from taskcfg.spec.schedule import Schedule
from taskcfg.spec.times.timetable import timetable


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides about a task's nominal times. None in its place: there was no such task."""

    schedule: Schedule
    timezone: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What one revision did to a task: its documents before and after, None where there was none.

    `standing` is what held before it; a document that cannot be read leaves it unknown. `edits` is how often
    it raised the version.
    """

    at: datetime
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    standing: Standing | None
    edits: int = 1


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: datetime
    end: datetime | None
    standing: Standing | None
    version: int


def eras_of(
    now_standing: Standing | None, version: int, changes: Sequence[Change], since: datetime
) -> tuple[Era, ...]:
    """Return the eras after *since* of a task that stands as *now_standing* under *version* (None: retired).

    *changes* are all that happened to it after *since*, in their order. Each edit has raised the version, by
    one but for some renames, so that the versions before are known; where somebody changed the row by hand
    they are lower than thought, and nothing is known of the fires that bear them.
    """
    stretches = list(_stretches(now_standing, version, changes, since))
    merged: list[tuple[_Stretch, int]] = []
    for each in reversed(stretches):
        if merged and merged[-1][0].standing == each.standing and merged[-1][0].end == each.start:
            before, lowest = merged[-1]
            merged[-1] = (replace(each, start=before.start), lowest)
        else:
            merged.append((each, each.version))
    return tuple(era for each, lowest in merged for era in _era(each, lowest))


def unsure_era(standing: Standing, version: int, since: datetime) -> tuple[Era, ...]:
    """Return the era of a row that somebody changed by hand: it holds since an unknown time after *since*."""
    stretch = _Stretch(since, None, standing, version)
    return tuple(replace(era, sure=False) for era in _era(stretch, version))


def _stretches(
    standing: Standing | None, version: int, changes: Sequence[Change], since: datetime
) -> Iterator[_Stretch]:
    """Yield them from the latest to the earliest."""
    end: datetime | None = None
    restored: Mapping[str, Any] | None = None
    for change in reversed(changes):
        yield _Stretch(change.at, end, standing, version)
        if change.before is None:
            restored = change.after
        elif change.after is None:
            version -= restored is not None and restored != change.before
        else:
            version -= change.edits
        standing, end = change.standing, change.at
    yield _Stretch(since, end, standing, version)


def _era(stretch: _Stretch, lowest: int) -> Iterator[Era]:
    standing = stretch.standing
    if standing is None or (stretch.end is not None and stretch.end <= stretch.start):
        return
    try:
        table = timetable(standing.schedule, standing.timezone) if standing.enabled else None
    except (ValueError, ArithmeticError):
        return
    yield Era(stretch.start, stretch.end, table, (lowest, stretch.version))
