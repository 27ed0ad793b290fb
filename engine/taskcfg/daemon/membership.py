"""This process's place among the nodes: a row that is a lease, renewed while the process lives."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from uuid import UUID

from taskcfg.failpoints import failpoint
from taskcfg.store import nodes
from taskcfg.store.database import Engine

RENEWALS_PER_LEASE = 5


class Membership:
    """Registers a scheduler, renews its lease, signs it off.

    A node whose lease ran out is dead to the others, who publish its fires; when it renews it
    is alive again, and its late receipts change nothing.
    """

    def __init__(self, database: Engine, node_id: UUID, lease: timedelta, follows: str | None = None) -> None:
        self._database = database
        self._node_id = node_id
        self._lease = lease
        self._follows = follows

    def register(self) -> None:
        """Write the row. Raises DatabaseUnavailable."""
        host = socket.gethostname()
        failpoint("membership.before_register")
        nodes.register(
            self._database,
            self._node_id,
            kind="scheduler",
            name=f"{host}:{os.getpid()}",
            host=host,
            pid=os.getpid(),
            lease=self._lease,
            follows=self._follows,
        )

    def renew(self) -> float:
        """Renew the lease, or register anew where the row is gone; return the seconds until the next time."""
        failpoint("membership.before_renew")
        if not nodes.renew(self._database, self._node_id, self._lease):
            self.register()
        failpoint("membership.after_renew")
        return self._lease.total_seconds() / RENEWALS_PER_LEASE

    def end(self) -> None:
        """Sign off: what this node had not published is free for the others at once."""
        failpoint("membership.before_end")
        nodes.end(self._database, self._node_id)
