"""The relay: takes recorded fires to the broker, and writes down what became of them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from taskcfg.clock import Clock, SystemClock
from taskcfg.dispatch.protocol import Dispatcher, Outbox
from taskcfg.errors import DatabaseUnavailable
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Confirmed, Outgoing, Receipt, Unconfirmed, Unroutable, Unsendable

logger = logging.getLogger("taskcfg.relay")

BATCH = 1000
CAPACITY = 20_000
POLL_INTERVAL = 1.0
LONGEST_NEGLECT = 5.0
"""Seconds for which fires in memory may keep the outbox waiting."""

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 10.0


@dataclass(frozen=True, slots=True)
class RelayResult:
    """What one step did, and how many seconds to `wait` before the next, unless woken."""

    wait: float
    confirmed: int = 0
    unroutable: int = 0
    unsendable: int = 0
    unconfirmed: int = 0

    @property
    def sent(self) -> int:
        """How many fires were given to the dispatcher."""
        return self.confirmed + self.unroutable + self.unsendable + self.unconfirmed


class Relay:
    """Publishes the fires of one node: those just materialised from memory, the rest from the outbox.

    Memory is a short cut and may be lost at any time: whatever was offered is recorded, and is
    claimed again when this process does not hold it. Between publishing and recording, fires
    are neither offered nor claimed again. While the broker is away nothing is held in memory, so
    that what its return finds is read anew, and expired by then where it should be.
    """

    def __init__(
        self,
        outbox: Outbox,
        dispatcher: Dispatcher,
        clock: Clock | None = None,
        *,
        batch: int = BATCH,
        capacity: int = CAPACITY,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._clock = clock or SystemClock()
        self._batch = batch
        self._capacity = capacity
        self._poll_interval = poll_interval
        self._lock = threading.Lock()
        self._fires: dict[UUID, Outgoing] = {}
        self._claimed: OrderedDict[UUID, None] = OrderedDict()
        self._unrecorded: list[tuple[Outgoing, Receipt]] = []
        self._claim_at = self._clock.monotonic()
        self._outage = _Outage(self._clock)

    def offer(self, fires: Sequence[Outgoing]) -> None:
        """Take *fires*, recorded and owned by this node, for the next steps. From any thread.

        What there is no room for is dropped from memory, and claimed from the outbox later. What
        a claim brought before it was offered, after a slow pass, is known already under a newer epoch.
        """
        with self._lock:
            for place, fire in enumerate(fires):
                if len(self._fires) >= self._capacity:
                    logger.info("relay.overflow fires=%d", len(fires) - place)
                    return
                if fire.event_id not in self._claimed:
                    self._fires[fire.event_id] = fire

    def hint(self) -> None:
        """Somebody recorded a fire: claim with the next step. From any thread."""
        with self._lock:
            self._claim_at = self._clock.monotonic()

    def run_once(self) -> RelayResult:
        """Publish one batch, if there is one and the broker is thought to be there.

        Raises DatabaseUnavailable, having forgotten nothing: receipts that could not be recorded
        are recorded first thing in the next step.
        """
        self._record()
        pause = self._outage.remaining()
        if pause > 0:
            self._release()
            return RelayResult(wait=pause)
        fires = self._take()
        if not fires:
            return RelayResult(wait=self._seconds_until_claim())
        failpoint("relay.before_publish")
        receipts = self._dispatcher.send(fires)
        failpoint("relay.after_publish")
        self._unrecorded = list(zip(fires, receipts, strict=True))
        self._note(receipts)
        self._record()
        return self._result(receipts)

    def broker_away_for(self) -> float | None:
        """Return for how many seconds the broker is away, None while it is there. From any thread."""
        return self._outage.lasted()

    def close(self) -> None:
        """Record what is not recorded yet, and end the connection to the broker.

        Fires whose receipts cannot be recorded are published again, under the same ids, by
        whoever claims them.
        """
        try:
            self._record()
        except DatabaseUnavailable as error:
            logger.warning("relay.unrecorded fires=%d reason=%r", len(self._unrecorded), error.message)
        finally:
            self._dispatcher.close()

    def _take(self) -> list[Outgoing]:
        """Return the next batch: from memory, to which the outbox is added when its time has come."""
        if self._may_claim():
            self._claim()
        with self._lock:
            batch = list(islice(self._fires.values(), self._batch))
            for fire in batch:
                del self._fires[fire.event_id]
        return batch

    def _may_claim(self) -> bool:
        """Memory goes first, as long as it holds whole batches; but the outbox never starves."""
        with self._lock:
            late = self._clock.monotonic() - self._claim_at
            return late >= 0 and (len(self._fires) < self._batch or late >= LONGEST_NEGLECT)

    def _claim(self) -> None:
        with self._lock:
            held = frozenset(self._fires)
            self._claim_at = self._clock.monotonic() + self._poll_interval
        claimed = self._outbox.claim(self._batch, held=held)
        failpoint("relay.after_claim")
        with self._lock:
            self._claimed.update((fire.event_id, None) for fire in claimed)
            while len(self._claimed) > self._capacity:
                self._claimed.popitem(last=False)
            self._fires.update((fire.event_id, fire) for fire in claimed)
            if len(claimed) >= self._batch:
                self._claim_at = self._clock.monotonic()

    def _record(self) -> None:
        if self._unrecorded:
            failpoint("relay.before_record")
            self._outbox.record(self._unrecorded)
            self._unrecorded = []
            failpoint("relay.after_record")

    def _note(self, receipts: Sequence[Receipt]) -> None:
        """See whether the broker is there: it is, unless it left every message without an answer."""
        lost = [receipt for receipt in receipts if isinstance(receipt, Unconfirmed)]
        answered = any(isinstance(receipt, Confirmed | Unroutable) for receipt in receipts)
        if lost and not answered:
            self._outage.went_on(lost[0].reason)
            self._release()
        elif answered:
            self._outage.ended()

    def _release(self) -> None:
        with self._lock:
            self._fires.clear()
            self._claim_at = self._clock.monotonic()

    def _seconds_until_claim(self) -> float:
        with self._lock:
            return max(0.0, self._claim_at - self._clock.monotonic())

    def _result(self, receipts: Sequence[Receipt]) -> RelayResult:
        pause = self._outage.remaining()
        with self._lock:
            more = bool(self._fires)
        return RelayResult(
            wait=pause if pause > 0 else 0.0 if more else self._seconds_until_claim(),
            confirmed=_count(receipts, Confirmed),
            unroutable=_count(receipts, Unroutable),
            unsendable=_count(receipts, Unsendable),
            unconfirmed=_count(receipts, Unconfirmed),
        )


def _count(receipts: Sequence[Receipt], kind: type[Receipt]) -> int:
    return sum(isinstance(receipt, kind) for receipt in receipts)


class _Outage:
    """A broker that is away: how long to leave it alone, said once when it goes and when it returns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: float | None = None
        self._until = 0.0
        self._backoff = FIRST_BACKOFF

    def went_on(self, reason: str) -> None:
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
            logger.error("broker.unavailable reason=%r", reason)
        self._until = now + self._backoff
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)

    def ended(self) -> None:
        if self._began is not None:
            logger.warning("broker.recovered after=%.1fs", self._clock.monotonic() - self._began)
            self._began = None
            self._backoff = FIRST_BACKOFF

    def lasted(self) -> float | None:
        began = self._began
        return None if began is None else self._clock.monotonic() - began

    def remaining(self) -> float:
        """Return the seconds before the next try; 0 when it may be made."""
        return 0.0 if self._began is None else max(0.0, self._until - self._clock.monotonic())
