"""What a plan asks of the database, answered by it or kept in a snapshot for later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from taskcfg.reconcile.snapshot import Snapshot
from taskcfg.reconcile.state import LiveTask, Owner, Place
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec
from taskcfg.store import pauses, revisions, task_configs
from taskcfg.store.database import Connection
from taskcfg.store.settings_table import database_uuid, environment


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the database says of *source* within a transaction. Keeps the promises of `LiveState`."""

    connection: Connection
    source: str

    def live_tasks(self) -> dict[str, LiveTask]:
        return task_configs.live_tasks(self.connection, self.source)

    def adopted_tasks(self, owners: Mapping[str, Owner]) -> dict[str, LiveTask]:
        return task_configs.adopted_tasks(self.connection, owners)

    def specs_of(self, ids: Collection[int]) -> dict[int, TaskSpec]:
        return task_configs.specs_of(self.connection, ids)

    def owners(self, names: Collection[str]) -> dict[str, Owner]:
        return task_configs.owners(self.connection, names)

    def retired(self, names: Collection[str]) -> dict[str, int]:
        return task_configs.retired(self.connection, self.source, names)

    def pauses(self, adopted: Collection[int] = ()) -> dict[int, Pause]:
        theirs = pauses.pauses_of(self.connection, adopted) if adopted else {}
        return pauses.pauses_of_source(self.connection, self.source) | theirs

    def place(self) -> Place | None:
        return revisions.place_of(self.connection, self.source)

    def revision(self) -> int | None:
        return revisions.current_revision(self.connection, self.source)

    def database(self) -> str:
        return str(database_uuid(self.connection))


def take_snapshot(connection: Connection, source: str, now: datetime) -> Snapshot:
    """Return all that a plan of *source* may ask, as it stands."""
    state = StoredState(connection, source)
    live = state.live_tasks()
    specs = state.specs_of([row.id for row in live.values()])
    owners = task_configs.owners(connection)
    return Snapshot(
        source=source,
        taken_at=now,
        identity=state.database(),
        environment=environment(connection),
        base_revision=state.revision(),
        files_at=state.place(),
        tasks={name: replace(row, spec=specs.get(row.id)) for name, row in sorted(live.items())},
        others={name: owner for name, owner in sorted(owners.items()) if owner.source != source},
        retired_ids=dict(sorted(task_configs.retired(connection, source).items())),
        paused=state.pauses(),
    )
