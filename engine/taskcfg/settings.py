"""Settings: read once, at the edges; flags over `TASKCFG_*` variables over `taskcfg.toml`."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from taskcfg.errors import InvalidSettings
from taskcfg.spec.duration import parse_duration

FILE_NAME = "taskcfg.toml"
PREFIX = "TASKCFG_"
STATE_FOLDER = ".taskcfg"
LATER = ("env", "celery_app", "allow_shell", "reconcile", "git_url")
ENVIRONMENT = "the environment"
NOT_SETTINGS = ("TASKCFG_FAILPOINTS",)

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Settings(BaseModel):
    """Every setting with its default. Paths are absolute; durations are `timedelta`s.

    `project_root` is the folder of `taskcfg.toml`, or the working directory without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    project_root: Path
    database_url: str
    broker_url: str
    tasks_dir: Path
    source: Annotated[str, Field(min_length=1, max_length=200)] = "main"
    types: tuple[str, ...] = ()
    actor: str | None = None
    max_delete: Annotated[int, Field(ge=0)] | None = None
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 2
    queues: tuple[str, ...] = ()
    resync_interval: Duration = timedelta(seconds=20)
    scheduler_lease: Duration = timedelta(seconds=2.5)
    worker_heartbeat: Duration = timedelta(seconds=10)
    worker_lease: Duration = timedelta(seconds=30)
    confirm_timeout: Duration = timedelta(seconds=10)
    unclaimed_after: Duration = timedelta(minutes=15)

    @model_validator(mode="after")
    def _leases_outlive_heartbeats(self) -> Self:
        """A lease that ends between two heartbeats would declare the living dead."""
        if self.worker_lease < 2 * self.worker_heartbeat:
            raise ValueError("worker_lease must be at least twice worker_heartbeat")
        if self.scheduler_lease < timedelta(seconds=1):
            raise ValueError("scheduler_lease must be at least 1s")
        return self

    @property
    def state_folder(self) -> Path:
        """Where taskcfg keeps what is its own: the embedded databases, locks."""
        return self.project_root / STATE_FOLDER


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
    values = _defaults(root)
    for origin, layer in (
        (FILE_NAME, _from_file(file) if file else {}),
        (ENVIRONMENT, _from_environment(environ)),
        ("the command line", {name: value for name, value in (flags or {}).items() if value is not None}),
    ):
        _check_names(layer, origin)
        values.update(_anchored(layer, start if origin == "the command line" else root))
    return _validated(values)


def find_file(start: Path) -> Path | None:
    """Return the nearest `taskcfg.toml` in *start* or a folder above it."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE_NAME).is_file()), None)


def _defaults(root: Path) -> dict[str, Any]:
    return {
        "project_root": root,
        "database_url": f"sqlite:///{root / STATE_FOLDER / 'taskcfg.db'}",
        "broker_url": f"embedded:///{root / STATE_FOLDER / 'broker.db'}",
        "tasks_dir": root / "tasks.d",
    }


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{file}: {error}", hint="mend the file, or move it away") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in environ.items():
        if (
            not variable.startswith(PREFIX)
            or variable.startswith("TASKCFG_TEST_")
            or variable in NOT_SETTINGS
        ):
            continue
        name = variable.removeprefix(PREFIX).lower()
        found[name] = _list(variable, text) if name in ("types", "queues") else text
    return found


def _list(variable: str, text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        items = json.loads(text)
    except ValueError as error:
        raise InvalidSettings(f"{variable}: not a JSON list: {error}") from error
    return [str(item) for item in items]


def _check_names(layer: Mapping[str, Any], origin: str) -> None:
    known = [name for name in Settings.model_fields if name != "project_root"]
    for name in layer:
        spelled = _spelled(name, origin)
        if name in LATER:
            raise InvalidSettings(f"{origin}: `{spelled}` is not supported by this version of taskcfg")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean `{_spelled(near[0], origin)}`?" if near else "docs/settings.md lists them all"
            )
            raise InvalidSettings(f"{origin}: `{spelled}` is not a setting", hint=hint)


def _spelled(name: str, origin: str) -> str:
    return f"{PREFIX}{name.upper()}" if origin == ENVIRONMENT else name


def _anchored(layer: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return *layer* with its relative paths made absolute, counted from *folder*."""
    anchored = dict(layer)
    if isinstance(layer.get("tasks_dir"), str | Path):
        anchored["tasks_dir"] = folder / Path(layer["tasks_dir"]).expanduser()
    for name, scheme in (("database_url", "sqlite:///"), ("broker_url", "embedded:///")):
        url = layer.get(name)
        if (
            isinstance(url, str)
            and url.startswith(scheme)
            and not url.startswith((scheme + "/", scheme + ":"))
        ):
            path = url.removeprefix(scheme)
            anchored[name] = f"{scheme}{folder / path}" if path else url
    return anchored


def _validated(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidSettings(
            f"setting `{name}`: {message}" if name else f"settings: {message}",
            hint="docs/settings.md lists what each takes",
        ) from error
