"""The options that many commands share, and the values they take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from taskcfg_cli import completion
from taskcfg_cli.context import Invocation

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

F = TypeVar("F", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
COLORS = ("auto", "always", "never")


def general(command: F) -> F:
    """Add `--env`, `--log-level`, `--log-format` and `--color`: before or after the command's name."""
    environment = click.option(
        "--env",
        metavar="NAME",
        expose_value=False,
        callback=_remember_flag("env"),
        help="The environment: its `environments/NAME.yaml`, and only its database.",
    )
    level = click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        expose_value=False,
        callback=_remember("log_level"),
        help="What is logged to stderr.",
    )
    form = click.option(
        "--log-format",
        type=click.Choice(LOG_FORMATS),
        expose_value=False,
        callback=_remember("log_format"),
        help="How it is logged: lines for people, or one JSON object a line.",
    )
    color = click.option(
        "--color",
        type=click.Choice(COLORS),
        expose_value=False,
        is_eager=True,
        callback=_remember_color,
        help="Colour the output (auto: only on a terminal).",
    )
    return environment(level(form(color(command))))


def output(*formats: str) -> Callable[[F], F]:
    """Add `-o/--format` with these *formats*."""
    return click.option(
        "-o",
        "--format",
        type=click.Choice(formats or ("text", "json")),
        expose_value=False,
        is_eager=True,
        callback=_remember("format"),
        help="How the result is written to stdout (default: text).",
    )


_SETTINGS = {
    "tasks_dir": ("--tasks-dir", "DIR", "The folder of task files."),
    "database_url": ("--database-url", "URL", "The database, e.g. postgresql://user@host/name."),
    "broker_url": ("--broker-url", "URL", "Celery's broker, e.g. amqp://user@host//."),
    "source": ("--source", "NAME", "The name under which these files own their tasks."),
    "git_url": ("--git", "URL", "Follow this git repository."),
    "git_ref": ("--ref", "REF", "The branch, tag or commit that is followed there."),
    "git_path": ("--path", "DIR", "The folder of task files in the repository."),
    "metrics_port": ("--metrics-port", "PORT", "Answer `/livez` and `/readyz` there."),
}


def settings(*names: str) -> Callable[[F], F]:
    """Add the flags of the settings *names*, which go before `TASKCFG_*` and `taskcfg.toml`."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            flag, metavar, text = _SETTINGS[name]
            command = click.option(
                flag, metavar=metavar, expose_value=False, callback=_remember_flag(name), help=text
            )(command)
        return command

    return decorate


STATES = ("active", "paused", "inactive", "error", "retired", "all")
"""A task's states, and `all`; a test compares them with the engine's."""


class LabelSelector(click.ParamType[str]):
    """A label selector as Kubernetes writes it."""

    name = "selector"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from taskcfg.spec.labels import parse_labels

        try:
            parse_labels(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def selectors(*, required: bool = False, states: bool = True) -> Callable[[F], F]:
    """Add `NAME…`, `-l/--label`, `--type` and `--state`; the command gets them as `selection`.

    *required* is for commands that act: without any of these they are a usage error, never
    "all". Without *states* there is no `--state`, or the command has one that means another thing.
    """
    given = _selectors(required, states)

    def decorate(command: F) -> F:
        @wraps(command)
        def selecting(*args: Any, **values: Any) -> Any:
            from taskcfg.spec.selection import Selection

            names, labels, types = (values.pop(name) for name in ("names", "labels", "types"))
            selection = Selection.of(
                names, labels=labels, types=types, states=values.pop("states") if states else ()
            )
            if required and selection.is_empty:
                raise click.UsageError("Say which tasks: by name, by -l or by --type; '*' is all of them.")
            return command(*args, selection=selection, **values)

        decorated: Any = selecting
        for option in reversed(given):
            decorated = option(decorated)
        return cast(F, decorated)

    return decorate


def _selectors(required: bool, states: bool) -> list[Callable[[Any], Any]]:
    given: list[Callable[[Any], Any]] = [
        click.argument(
            "names",
            nargs=-1,
            metavar="NAME..." if required else "[NAME]...",
            shell_complete=completion.task_names,
        ),
        click.option(
            "-l",
            "--label",
            "labels",
            type=LabelSelector(),
            multiple=True,
            metavar="SELECTOR",
            shell_complete=completion.label_keys,
            help="By label: team=platform, tier!=2, 'team in (a,b)', key, !key; comma is and.",
        ),
        click.option(
            "--type",
            "types",
            multiple=True,
            metavar="TYPE",
            shell_complete=completion.type_names,
            help="Of this type; may be given again.",
        ),
    ]
    if states:
        state = click.Choice(STATES)
        given.append(
            click.option(
                "--state", "states", type=state, multiple=True, help="In this state; may be given again."
            )
        )
    return given


def span(start: str, end: str | None = None) -> Callable[[F], F]:
    """Add `--from` (without it: *start*) and `--to` (*end*)."""
    first = click.option(
        "--from",
        "start",
        type=InstantValue(sign=1),
        metavar="INSTANT",
        is_eager=True,
        help=f"Inclusive (default: {start}).",
    )
    default = f" (default: {end})" if end else ""
    last = click.option(
        "--to",
        "end",
        type=InstantValue(sign=1),
        metavar="INSTANT",
        callback=_only_after_from,
        help=f"Exclusive{default}.",
    )
    return lambda command: first(last(command))


def _only_after_from(
    context: click.Context, parameter: click.Parameter, end: datetime | None
) -> datetime | None:
    start = context.params.get("start")
    if start is not None and end is not None and end <= start:
        raise click.UsageError("--to must be after --from.")
    return end


def task_files(command: F) -> F:
    """Add `-f FILE`."""
    return click.option(
        "-f",
        "files",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The tasks of this file, without a database.",
    )(command)


def missed(when: str, *, default: str | None = None) -> Callable[[F], F]:
    """Add `--missed`: what is done with the fires that a pause has kept from firing."""
    words = click.Choice(("none", "latest", "all"))
    return click.option(
        "--missed", type=words, default=default, help=f"Which missed fires are made up {when}."
    )


class DurationValue(click.ParamType[timedelta]):
    """A duration as in task files: `30s`, `15m`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from taskcfg.spec.duration import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ZoneValue(click.ParamType["ZoneInfo"]):
    """A time zone by its IANA name."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        from taskcfg.spec.times.zones import zone_named

        try:
            return zone_named(str(value))
        except ValueError as error:
            self.fail(f"{error}: write an IANA name such as `Europe/Berlin` or `UTC`", param, ctx)


class InstantValue(click.ParamType[datetime]):
    """An instant: ISO 8601, without an offset in this machine's zone; `now`; or a duration ago, `2h`."""

    name = "instant"

    def __init__(self, *, sign: int) -> None:
        self._sign = sign

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from taskcfg.spec.times.wall_times import FIRST_YEAR, LAST_YEAR
        from taskcfg_cli.render.times import parse_instant

        try:
            found = value if isinstance(value, datetime) else parse_instant(value, sign=self._sign)
        except (ValueError, OverflowError):
            direction = "ago" if self._sign < 0 else "from now"
            self.fail(
                f"`{value}` is not an instant such as `2026-10-25T01:30:00Z`, `2026-10-25`, `now`"
                f" or `2h` ({direction})",
                param,
                ctx,
            )
        if self._sign > 0 and not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.fail(f"`{value}`: the years go from {FIRST_YEAR} to {LAST_YEAR}", param, ctx)
        return found


def waiting(command: F) -> F:
    """Add `--wait` and `--timeout`, which says how long."""
    timeout = click.option(
        "--timeout",
        type=DurationValue(),
        metavar="DURATION",
        callback=_only_to_wait,
        help="Wait no longer; then exit 1.",
    )
    wait = click.option(
        "--wait",
        is_flag=True,
        is_eager=True,
        help="Wait until all have ended; exit 1 unless all succeeded.",
    )
    return wait(timeout(command))


def _only_to_wait(context: click.Context, _: click.Parameter, value: timedelta | None) -> timedelta | None:
    if value is not None and not context.params.get("wait"):
        raise click.UsageError("--timeout says how long to --wait")
    return value


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Invocation), name, value)

    return callback


def _remember_flag(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            context.ensure_object(Invocation).flags[name] = value

    return callback


def _remember_color(context: click.Context, _: click.Parameter, value: str | None) -> None:
    invocation = context.ensure_object(Invocation)
    if value is not None:
        invocation.color = value
    context.color = invocation.terminal_color
