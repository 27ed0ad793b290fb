"""A plan as the JSON document programs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, assert_never

from taskcfg.reconcile.drift import Drifted, DriftKind
from taskcfg.reconcile.fire_lines import fires_document
from taskcfg.reconcile.outlook import NO_FIRES, FiresChange
from taskcfg.reconcile.plan import Change, ChangeKey, Create, Delete, Plan, Rename, Update, by_name, key_of
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec

FORMAT_VERSION = "1.0"


def plan_document(
    plan: Plan,
    desired: Mapping[str, TaskSpec],
    *,
    timestamp: datetime,
    base_revision: int | None,
    environment: str | None = None,
    repo: str | None = None,
    commit: str | None = None,
    dirty: bool | None = None,
    fires: Mapping[ChangeKey, FiresChange] = NO_FIRES,
) -> dict[str, Any]:
    """Return *plan* under Terraform's keys where the meaning is the same.

    *desired* is what it was made from; *repo*, *commit* and *dirty* say which files those were,
    *environment* which one was merged over them.
    Tasks that stay as they are are listed too, as `no-op`. *fires* says what becomes of each task's.
    """
    changes = [_with_fires(change_document(change), fires.get(key_of(change))) for change in plan.changes]
    changes += [unchanged_document(desired[name]) for name in plan.unchanged]
    rows = {
        change.live.name: change.live.version for change in by_name(plan) if not isinstance(change, Create)
    }
    return {
        "format_version": FORMAT_VERSION,
        "timestamp": rfc3339(timestamp),
        "environment": environment,
        "source": {"name": plan.source, "repo": repo, "commit": commit, "dirty": dirty},
        "base": {"revision": base_revision, "rows": rows},
        "resource_changes": sorted(changes, key=lambda change: str(change["address"])),
        "resource_drift": [each.document() for each in _drifted(plan)],
        "paused": [pause_document(name, pause) for name, pause in plan.paused.items()],
        "summary": asdict(plan.summary),
        "has_changes": plan.has_changes,
        "errored": False,
    }


def _drifted(plan: Plan) -> Iterator[Drifted]:
    """Yield the rows that were changed by hand, as applied only where the file says the same still."""
    for change in by_name(plan):
        if isinstance(change, Update) and change.live.changed_by_hand:
            live, spec = change.live, change.spec
            applied = spec.document() if spec.digest == live.applied_digest else None
            after = None if live.spec is None else live.spec.document()
            yield Drifted(change.name, DriftKind.UPDATE, applied, after)


def pause_document(name: str, pause: Pause) -> dict[str, Any]:
    """Return one element of `paused`."""
    until = None if pause.until is None else rfc3339(pause.until)
    return {"task": name, "by": pause.by, "reason": pause.reason, "until": until}


def change_document(change: Change) -> dict[str, Any]:
    """Return one element of `resource_changes`."""
    match change:
        case Create(spec, restores):
            reason = None if restores is None else "restored"
            return _resource(spec, ("create",), None, spec.document(), reason)
        case Update(live, spec, _):
            before = live.spec.document() if live.spec else None
            reason = "changed_by_hand" if live.changed_by_hand else None
            if live.source is not None:
                reason = "adopted"
            return _resource(spec, ("update",), before, spec.document(), reason)
        case Rename(live, spec, fields):
            before = live.spec.document() if live.spec else None
            actions = ("rename", "update") if fields or live.spec is None else ("rename",)
            reason = None if live.source is None else "adopted"
            document = _resource(spec, actions, before, spec.document(), reason)
            return {**document, "previous_address": live.name}
        case Delete(live):
            before = live.spec.document() if live.spec else None
            gone = TaskSpec(live.name, live.spec.type if live.spec else "")
            return {**_resource(gone, ("delete",), before, None, "not_in_source"), "type": gone.type or None}
        case _:
            assert_never(change)


def _with_fires(document: dict[str, Any], fires: FiresChange | None) -> dict[str, Any]:
    return {**document, "fires": None if fires is None else fires_document(fires)}


def unchanged_document(spec: TaskSpec) -> dict[str, Any]:
    document = spec.document()
    return _resource(spec, ("no-op",), document, document, None)


def _resource(
    spec: TaskSpec,
    actions: Sequence[str],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    reason: str | None,
) -> dict[str, Any]:
    position = spec.position
    return {
        "address": spec.name,
        "previous_address": None,
        "type": spec.type,
        "change": {"actions": list(actions), "before": before, "after": after},
        "action_reason": reason,
        "range": None
        if position is None
        else {"filename": position.file, "line": position.line, "column": position.column},
        "fires": None,
    }
