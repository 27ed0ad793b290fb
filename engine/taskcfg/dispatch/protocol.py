"""What the relay and the gate need of the store, and of each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from taskcfg.spec.fires import Dispatched, ExecutionState, Outcome, Outgoing, Receipt, Refused, Started


class Dispatcher(Protocol):
    """Sends fires on their way.

    Sending the same fire twice must be harmless: the relay sends again when it cannot know
    whether the first try got through.
    """

    def send(self, fires: Sequence[Outgoing]) -> list[Receipt]:
        """Publish *fires* and wait, bounded, until the broker has answered for all of them.

        Returns one receipt a fire, in order. Never raises for a broker's sake: what is not
        known to have arrived is `Unconfirmed`.
        """

    def close(self) -> None: ...


class Outbox(Protocol):
    """The recorded fires that are still to be published, as one node sees them."""

    def claim(self, limit: int, *, held: Collection[UUID]) -> list[Outgoing]:
        """Take over at most *limit* pending fires whose time has come, each under a new epoch.

        Takes what nobody owns, what a dead node owned, and what this node owns but does not
        hold in memory (*held*). A fire past its `expires` becomes `expired` instead.
        """

    def record(self, receipts: Sequence[tuple[Outgoing, Receipt]]) -> None:
        """Write down what became of *receipts*' fires; a receipt of an older epoch changes nothing.

        Confirmed: `published`, or `done` where no gate will tell of its end. Unroutable: stays
        `pending`, tried again with backoff, with the reason. Unsendable: `dead`. Unconfirmed: stays
        `pending`.
        """


class Records(Protocol):
    """Where the gate asks for permission and writes down what happened.

    Every call waits, with capped backoff, for a database that is down: an attempt is never
    run unrecorded, and its end is never forgotten.
    """

    def start(self, dispatched: Dispatched) -> Started | Refused:
        """Insert the running execution; refuse a second one, an older dispatch, and a fire that
        is expired, cancelled, finished or whose task is retired. Never takes over."""

    def finish(self, execution_id: UUID, outcome: Outcome) -> ExecutionState | None:
        """Close the execution and, in the same transaction, its event: `done`, or `pending` under
        the next dispatch where attempts (or, for `lost`, redispatches) are left. Returns the state
        that stands there, another one where somebody had closed it before; None where it is gone."""

    def finish_dispatch(self, dispatched: Dispatched, outcome: Outcome) -> ExecutionState | None:
        """The same, for the parent process, which knows a killed child only by its message.
        Does nothing when the attempt is not running any more."""

    def explain(self, dispatched: Dispatched, reason: str) -> None:
        """Write down why a worker dropped the message: the fire stays published, until somebody
        starts it or it is published again. Does nothing when it was started, or is not there."""
