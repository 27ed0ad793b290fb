"""The loops of one process, as a crew: started together, watched, and stopped in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from taskcfg.clock import Clock
from taskcfg.daemon.loop import Loop, Outage


class Loops:
    """Runs each of *steps* in a loop of its own, under its name."""

    def __init__(self, steps: Mapping[str, Callable[[], float]], outage: Outage, clock: Clock) -> None:
        self._clock = clock
        self._loops = {name: Loop(name, step, outage, clock) for name, step in steps.items()}
        self._started = False

    def __getitem__(self, name: str) -> Loop:
        return self._loops[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._loops)

    def start(self) -> None:
        for loop in self._loops.values():
            loop.start()
        self._started = True

    def wake(self, *names: str) -> None:
        for name in names:
            self._loops[name].wake()

    def dead(self) -> tuple[str, ...]:
        """Return the loops that were started and run no more."""
        return self._alive_or_not(False) if self._started else ()

    def busy(self) -> dict[str, float]:
        """Return for how many seconds the present step of each loop is under way."""
        return {name: loop.busy_for() for name, loop in self._loops.items()}

    def stop(self, names: Iterable[str], patience: float) -> tuple[str, ...]:
        """Have the loops *names* end, all at once; return those that have not, *patience* seconds later."""
        names = [name for name in names if name in self._loops]
        for name in names:
            self._loops[name].end_soon()
        deadline = self._clock.monotonic() + patience
        for name in names:
            self._loops[name].stop(max(deadline - self._clock.monotonic(), 0.0))
        return tuple(name for name in names if self._loops[name].alive)

    def _alive_or_not(self, alive: bool) -> tuple[str, ...]:
        return tuple(name for name, loop in self._loops.items() if loop.alive is alive)
