"""One connection to a broker: what the publisher asks of it, whatever the broker's kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from taskcfg.dispatch.message import Encoded, Message
from taskcfg.spec.fires import Receipt


@dataclass(slots=True)
class Parcel:
    """A message ready to go: the *index*-th of its batch. `celery_id` is known to the broker."""

    index: int
    message: Message
    encoded: Encoded
    celery_id: str


class Wire(Protocol):
    """An open connection that takes parcels.

    A wire that is not `alive` any more is closed and replaced; it never recovers. `lost` says
    what happened to it.
    """

    lost: str | None

    def publish(self, parcels: Iterable[Parcel]) -> dict[int, Receipt]:
        """Publish *parcels*, which are made one after the other; return what is known, by index.

        Comes back within a bounded time. Of a parcel without a receipt nobody knows.
        """

    def alive(self) -> bool:
        """Say, without waiting, whether the connection is still usable as far as can be seen."""

    def close(self) -> None: ...


def no_queue(name: str) -> str:
    return f"queue `{name}` does not exist: start a worker that serves it"
