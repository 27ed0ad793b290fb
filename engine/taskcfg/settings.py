"""Settings: read once, at the edges; flags over `TASKCFG_*` variables over `taskcfg.toml`.

No Pydantic here: building its model would take longer than everything else that `taskcfg validate`
does for one file, and its messages do not know the file or the variable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskcfg.errors import InvalidSettings
from taskcfg.setting_values import (
    Reader,
    Unfit,
    at_least,
    choice,
    duration,
    environment,
    environments,
    git_path,
    git_ref,
    list_of_text,
    optional,
    path,
    retention,
    size,
    switch,
    text,
    whole_number,
)
from taskcfg.spec.duration import duration_text

if TYPE_CHECKING:
    from taskcfg.spec.retention import Retention

FILE_NAME = "taskcfg.toml"
PREFIX = "TASKCFG_"
STATE_FOLDER = ".taskcfg"
LATER = ("allow_shell",)
ENVIRONMENT = "the environment"
COMMAND_LINE = "the command line"
NOT_SETTINGS = ("TASKCFG_FAILPOINTS",)
HINT = "docs/settings.md lists what each setting takes"

MIB = 2**20

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
RECONCILE = ("heal", "report")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default. Paths are absolute; durations are `timedelta`s.

    `project_root` is the folder of `taskcfg.toml`, or the working directory without one. `given`
    names the settings that somebody set; the others have their defaults.
    """

    project_root: Path
    database_url: str
    database_direct_url: str | None = None
    broker_url: str
    tasks_dir: Path
    celery_app: str | None = None
    source: str = "main"
    env: str | None = None
    environments: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    actor: str | None = None
    max_delete: int | None = None
    log_level: str = "info"
    log_format: str = "text"
    concurrency: int = 2
    queues: tuple[str, ...] = ()
    secrets_dir: Path | None = None
    resync_interval: timedelta = timedelta(seconds=20)
    scheduler_lease: timedelta = timedelta(seconds=2.5)
    worker_heartbeat: timedelta = timedelta(seconds=10)
    worker_lease: timedelta = timedelta(seconds=30)
    confirm_timeout: timedelta = timedelta(seconds=10)
    unclaimed_after: timedelta = timedelta(minutes=15)
    retention: Retention | None = None
    max_message_size: int = 16 * MIB
    priority_queues: bool = False
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    reconcile: str = "heal"
    git_url: str | None = field(default=None, repr=False)
    git_ref: str = "main"
    git_path: str = "tasks.d"
    git_interval: timedelta = timedelta(seconds=60)
    given: frozenset[str] = frozenset()

    @property
    def their_broker(self) -> bool:
        """Whether the broker is that of `celery_app`: it has one, and nobody set `broker_url`."""
        return self.celery_app is not None and "broker_url" not in self.given

    @property
    def state_folder(self) -> Path:
        """Where taskcfg keeps what is its own: the embedded databases, locks."""
        return self.project_root / STATE_FOLDER


READERS: Mapping[str, Reader] = {
    "database_url": text(),
    "database_direct_url": optional(text()),
    "broker_url": text(),
    "tasks_dir": path,
    "celery_app": optional(text()),
    "source": text(longest=200),
    "env": optional(environment),
    "environments": environments,
    "types": list_of_text,
    "actor": optional(text()),
    "max_delete": optional(whole_number(0)),
    "log_level": choice(*LOG_LEVELS),
    "log_format": choice(*LOG_FORMATS),
    "concurrency": whole_number(1, 1000),
    "queues": list_of_text,
    "secrets_dir": optional(path),
    "resync_interval": duration,
    "scheduler_lease": duration,
    "worker_heartbeat": duration,
    "worker_lease": duration,
    "confirm_timeout": duration,
    "unclaimed_after": duration,
    "retention": optional(retention),
    "max_message_size": size(1024, 128 * MIB),
    "priority_queues": switch,
    "metrics_port": optional(whole_number(0, 65_535)),
    "metrics_host": text(),
    "reconcile": choice(*RECONCILE),
    "git_url": optional(text()),
    "git_ref": git_ref,
    "git_path": git_path,
    "git_interval": at_least(timedelta(seconds=1)),
}
"""What reads each setting, in the order in which docs/settings.md lists them."""


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Return the settings as seen from *folder* (the working directory), flags over environment over file.

    A flag that is None was not given. Raises InvalidSettings, naming the setting and where it stands.
    """
    environ = os.environ if environ is None else environ
    start = (folder or Path.cwd()).absolute()
    file = find_file(start)
    root = file.parent if file else start
    values, places = _defaults(root), dict[str, str]()
    for origin, layer in (
        (FILE_NAME, _from_file(file) if file else {}),
        (ENVIRONMENT, _from_environment(environ)),
        (COMMAND_LINE, {name: value for name, value in (flags or {}).items() if value is not None}),
    ):
        _check_names(layer, origin)
        for name, value in layer.items():
            places[name] = _place(name, origin)
            values[name] = _read(name, value, places[name], start if origin == COMMAND_LINE else root)
    settings = Settings(**values, given=frozenset(places))
    _check_leases(settings, places)
    return settings


def find_file(start: Path) -> Path | None:
    """Return the nearest `taskcfg.toml` in *start* or a folder above it, whatever it may be.

    Raises InvalidSettings where that cannot be seen.
    """
    for folder in (start, *start.parents):
        candidate = folder / FILE_NAME
        try:
            candidate.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise InvalidSettings(
                f"{candidate}: {error.strerror}", hint="whether it is there must be known: mend its folder"
            ) from error
        return candidate
    return None


def _defaults(root: Path) -> dict[str, Any]:
    return {
        "project_root": root,
        "database_url": f"sqlite:///{root / STATE_FOLDER / 'taskcfg.db'}",
        "broker_url": f"embedded:///{root / STATE_FOLDER / 'broker.db'}",
        "tasks_dir": root / "tasks.d",
    }


def _from_file(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidSettings(f"{file}: {said}", hint="mend the file, or move it away") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        variable.removeprefix(PREFIX).lower(): value
        for variable, value in environ.items()
        if variable.startswith(PREFIX)
        and not variable.startswith("TASKCFG_TEST_")
        and variable not in NOT_SETTINGS
    }


def _check_names(layer: Mapping[str, Any], origin: str) -> None:
    for name in layer:
        spelled = _spelled(name, origin)
        if name in LATER:
            raise InvalidSettings(f"{origin}: `{spelled}` is not supported by this version of taskcfg")
        if name not in READERS:
            from difflib import get_close_matches

            near = get_close_matches(name, READERS, n=1)
            hint = (
                f"did you mean `{_spelled(near[0], origin)}`?" if near else "docs/settings.md lists them all"
            )
            raise InvalidSettings(f"{origin}: `{spelled}` is not a setting", hint=hint)


def _spelled(name: str, origin: str) -> str:
    return f"{PREFIX}{name.upper()}" if origin == ENVIRONMENT else name


def _place(name: str, origin: str) -> str:
    return _spelled(name, origin) if origin == ENVIRONMENT else f"{origin}: {name}"


def _read(name: str, value: object, place: str, folder: Path) -> object:
    try:
        return _anchored(name, READERS[name](value), folder)
    except Unfit as error:
        raise InvalidSettings(f"{place}: {error}", hint=HINT) from error


def _anchored(name: str, value: object, folder: Path) -> object:
    """Return *value* with a relative path made absolute, counted from *folder*."""
    if isinstance(value, Path):
        return folder / value
    scheme = {"database_url": "sqlite:///", "broker_url": "embedded:///"}.get(name)
    if scheme and isinstance(value, str) and value.startswith(scheme):
        below = value.removeprefix(scheme)
        return value if not below or below.startswith(("/", ":")) else f"{scheme}{folder / below}"
    return value


def _check_leases(settings: Settings, places: Mapping[str, str]) -> None:
    """A lease that ends between two heartbeats would declare the living dead."""
    for name, least, why in (
        ("worker_lease", 2 * settings.worker_heartbeat, ", twice worker_heartbeat"),
        ("scheduler_lease", timedelta(seconds=1), ""),
    ):
        found: timedelta = getattr(settings, name)
        if found < least:
            place = places.get(name) or places.get("worker_heartbeat") or name
            subject = "" if name in places else f" {name}"
            bound = f"at least {duration_text(least)}{why}"
            raise InvalidSettings(
                f"{place}:{subject} must be {bound}, found {duration_text(found)}", hint=HINT
            )
