"""What a change does to a task's fires: as the lines people read, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from taskcfg.errors import count
from taskcfg.reconcile.outlook import IMMINENT, FiresChange, Outlook
from taskcfg.spec.duration import seconds
from taskcfg.spec.fire_time import Coming
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.moments import local_words, relative, span

MOST_CLOCK_CHANGES = 3


def fire_lines(change: FiresChange, zone: str, now: datetime) -> Iterator[str]:
    """Yield what people should know of the fires of a task in *zone*, as it is *now*."""
    if change.moves:
        yield _moved_line(change, zone, now)
    if change.imminent is not None and not (change.keeps_imminent and _is_dense(change)):
        yield _imminent_line(change, change.imminent, now)
    if change.moves:
        yield from _clock_lines(change)


def fires_document(change: FiresChange) -> dict[str, Any]:
    """Return the value of `fires` in a plan's JSON."""
    return {
        "before": _outlook_document(change.before),
        "after": _outlook_document(change.after),
        "added": change.added,
        "removed": change.removed,
        "horizon": seconds(change.horizon),
        "clock_changes": [
            {"at": rfc3339(day.change.at), "words": day.heading, "effects": [e.words for e in day.effects]}
            for day in change.clock_changes
        ],
    }


def _moved_line(change: FiresChange, zone: str, now: datetime) -> str:
    before, after = change.before, change.after
    within = f"in the next {span(change.horizon.total_seconds())}"
    if after is None:
        said = [before.words if before else "unknown"]
        if before is not None and before.coming is not None:
            said.append(f"next would have been {_next(before.coming, zone, now)}")
        return f"fires no more: {'; '.join([*said, f'{change.removed:,} fewer {within}'])}"
    words = after.words
    if before is not None and before.words != words:
        words = f"{before.words} -> {words}"
    said = [words, f"next {_next(after.coming, zone, now)}" if after.coming else "none to come"]
    if before is None:
        said.append(f"{after.fires:,} {within}")
    else:
        said.append(f"{change.added:,} more, {change.removed:,} fewer {within}")
    return f"fires: {'; '.join(said)}"


def _imminent_line(change: FiresChange, imminent: datetime, now: datetime) -> str:
    due = f"due in {span(max((imminent - now).total_seconds(), 0))}"
    if change.keeps_imminent:
        return f"{due}: kept"
    return f"! {due}: will not fire, unless it is due when this is applied"


def _is_dense(change: FiresChange) -> bool:
    """Whether a fire always comes within minutes, so that none is worth a word."""
    before = change.before
    return before is not None and before.fires * IMMINENT >= change.horizon


def _clock_lines(change: FiresChange) -> Iterator[str]:
    days = change.clock_changes
    for day in days[:MOST_CLOCK_CHANGES]:
        old = day.change.old
        for effect in day.effects:
            yield f"! {old:%a} {old.day} {old:%b}: {effect.words}"
    if len(days) > MOST_CLOCK_CHANGES:
        yield f"! {count(len(days) - MOST_CLOCK_CHANGES, 'more clock change')}"


def _next(coming: Coming, zone: str, now: datetime) -> str:
    return f"{local_words(coming.fire_at, zone, now)}, {relative(coming.fire_at, now)}"


def _outlook_document(outlook: Outlook | None) -> dict[str, Any] | None:
    if outlook is None:
        return None
    coming = outlook.coming
    return {
        "schedule": outlook.words,
        "next_nominal_at": None if coming is None else rfc3339(coming.nominal_at),
        "next_fire_at": None if coming is None else rfc3339(coming.fire_at),
        "count": outlook.fires,
    }
