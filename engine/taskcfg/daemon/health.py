"""Whether a scheduler lives, and whether it is ready: decided from what its main thread sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STUCK_AFTER = 60.0
"""Seconds without a firing pass, failed ones too, after which the process ends itself."""

STEP_STUCK_AFTER = 300.0
"""Seconds after which a step of any other loop will not end any more: longer than whatever bounds it."""

UNREADY_AFTER = 15.0
"""Seconds without a pass that succeeded after which a scheduler is not ready: longer than a statement
of a pass may take."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What there is to see. Durations are seconds.

    `last_pass`: since the last pass of any kind; `last_good_pass`: since one succeeded, None before the
    first. `busy`: how long each loop's step is under way. `database`: what is wrong with it; `broker`:
    how long it is away.
    """

    joined: bool = True
    stopping: bool = False
    last_pass: float = 0.0
    last_good_pass: float | None = 0.0
    dead: tuple[str, ...] = ()
    busy: Mapping[str, float] = field(default_factory=dict)
    database: str | None = None
    broker: float | None = None
    clock_doubted: bool = False


def why_dead(vitals: Vitals) -> tuple[str, ...]:
    """Return why the process cannot go on; nothing while it lives. Waiting and stopping are life."""
    if vitals.stopping or not vitals.joined:
        return ()
    found = [f"loop `{name}` has died" for name in vitals.dead]
    if vitals.last_pass > STUCK_AFTER:
        found.append(f"no firing pass ended for {vitals.last_pass:.0f} s")
    stuck = {name: busy for name, busy in vitals.busy.items() if busy > STEP_STUCK_AFTER}
    return (*found, *(f"loop `{name}` is stuck for {busy:.0f} s" for name, busy in sorted(stuck.items())))


def why_unready(vitals: Vitals) -> tuple[str, ...]:
    """Return why nothing may fire in time here; nothing while it does.

    A broker that is away is no reason: fires are recorded, and go out when it is back.
    """
    found = []
    if vitals.stopping:
        found.append("it is stopping")
    if not vitals.joined:
        found.append("it has not joined the schedulers of the database yet")
    if vitals.database is not None:
        found.append(f"the database is away: {vitals.database}")
    if vitals.joined and not vitals.stopping and vitals.database is None:
        found += _late(vitals.last_good_pass)
    return (*found, *why_dead(vitals))


def notes(vitals: Vitals) -> tuple[str, ...]:
    """Return what is not as it should be, and no reason to be unready."""
    found = []
    if vitals.broker is not None:
        found.append(f"the broker is away for {vitals.broker:.0f} s: fires are recorded, and wait")
    if vitals.clock_doubted:
        found.append("the database's clock has jumped: nothing fires until it agrees again")
    return tuple(found)


def status_line(vitals: Vitals) -> str:
    """Return in one line how it stands."""
    return "; ".join((*why_unready(vitals), *notes(vitals))) or "firing"


def _late(last_good_pass: float | None) -> list[str]:
    if last_good_pass is None:
        return ["it has not made its first pass yet"]
    if last_good_pass > UNREADY_AFTER:
        return [f"no firing pass succeeded for {last_good_pass:.0f} s"]
    return []
