"""What `taskcfg doctor` says of the user's own Celery app, and where that sends fires."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taskcfg.celery import make_app
from taskcfg.celery.fitness import remarks, their_url
from taskcfg.control.findings import Finding, fail, failed, ok, warn
from taskcfg.dispatch.route import QueueMissing, Router
from taskcfg.errors import TaskcfgError
from taskcfg.settings import Settings
from taskcfg.spec.fires import message_of
from taskcfg.spec.task import TaskSpec
from taskcfg.types.celery_app import load_app
from taskcfg.types.registry import Registry

CHECK = "celery_app"


def celery_app(settings: Settings) -> tuple[Any, list[Finding]]:
    """Return the app of the setting, None where there is none to use, and what is to be said of it."""
    try:
        theirs = their_url(load_app(str(settings.celery_app), settings.project_root))
        app = make_app(settings, Registry())
    except TaskcfgError as error:
        return None, [failed(CHECK, error)]
    except Exception as error:  # noqa: BLE001  # an app's own settings can raise anything
        said = f"{settings.celery_app} cannot be used: {type(error).__name__}: {error}"
        return None, [fail(CHECK, said, "mend the app's settings")]
    return app, list(_findings(app, settings, theirs))


def _findings(app: Any, settings: Settings, theirs: str) -> Iterator[Finding]:
    own = sum(not name.startswith(("celery.", "taskcfg.")) for name in app.tasks)
    yield ok(CHECK, f"{settings.celery_app}, tasks: {own}")
    if not settings.their_broker and (used := their_url(app)) != theirs:
        yield warn(
            "app_broker",
            f"`broker_url` goes before the app's own: fires go to {used}, `celery -A` reads {theirs}",
            "leave `broker_url` away, unless the workers are started by `taskcfg worker`",
        )
    for remark in remarks(app):
        yield (fail if remark.broken else warn)(f"app_{remark.about}", remark.reason, remark.hint)


class DefaultQueues:
    """Says to which queue the fires of a task go, by the routing of *app* (None: taskcfg's own)."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._router = None if app is None else Router(app)

    def __call__(self, spec: TaskSpec | None) -> str:
        if spec is not None and spec.queue is not None:
            return spec.queue
        if self._router is None or spec is None:
            return "celery"  # where an app sends what names no queue, unless it says otherwise
        message = message_of(spec)
        name, args, kwargs = message["task"], message["args"], message["kwargs"]
        try:
            return self._router.route(name, self._app.tasks.get(name), {}, args, kwargs).queue_name
        except QueueMissing as error:
            return str(error)
