"""Asking workers to stop what they run."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from celery import Celery

COMMAND = "taskcfg_interrupt"
"""The name of the remote-control command that workers with the gate know."""

CONNECT_TIMEOUT = 4.0


class Interrupter:
    """Sends the wish through Celery's remote control, over a connection of its own each time."""

    def __init__(self, app: Celery, *, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._app = app
        self._connect_timeout = connect_timeout

    def interrupt(self, worker: str, celery_ids: Collection[UUID]) -> None:
        """Have *worker* interrupt these attempts as a soft time limit does; nobody answers.

        Raises OSError, or an error of kombu's, when the broker cannot be reached.
        """
        with self._app.connection_for_write(connect_timeout=self._connect_timeout) as connection:
            self._app.control.broadcast(
                COMMAND,
                arguments={"celery_ids": [str(id_) for id_ in celery_ids]},
                destination=[worker],
                connection=connection,
            )
