"""What the firing pass needs of the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from taskcfg.spec.fires import Advance, DueTask, Outgoing


class FiringPass(Protocol):
    """One open transaction that holds the row locks of what it claimed.

    `now` is the database's clock. Exactly one of `commit` and `abandon` is called, once.
    """

    now: datetime
    due: Sequence[DueTask]

    def commit(self, advances: Sequence[Advance]) -> list[Outgoing]:
        """Record every fire, advance every row, commit, and return the fires to publish.

        All of it or none of it; but a row that the database refuses is quarantined alone
        (`error_reason`), and the others go through. A fire that is recorded already is left
        as it is and not returned. The returned fires are owned by this node.
        """

    def abandon(self) -> None:
        """Roll back. Everything is due again for whoever comes next."""


class FiringStore(Protocol):
    """Claims what is due, by the database's clock, for one node among many."""

    def begin_pass(self, limit: int) -> FiringPass:
        """Claim at most *limit* due rows that no other pass holds. Raises DatabaseUnavailable."""

    def seconds_until_due(self) -> float | None:
        """Return how long until the next row is due (0 when one is), None when nothing is scheduled."""
