"""The options that many commands share, and the values they take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from taskcfg_cli.context import Invocation

F = TypeVar("F", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")
COLORS = ("auto", "always", "never")


def general(command: F) -> F:
    """Add `--log-level` and `--color`, which stand before or after the command's name."""
    level = click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        expose_value=False,
        callback=_remember("log_level"),
        help="What is logged to stderr.",
    )
    color = click.option(
        "--color",
        type=click.Choice(COLORS),
        expose_value=False,
        is_eager=True,
        callback=_remember_color,
        help="Colour the output (auto: only on a terminal).",
    )
    return level(color(command))


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


class DurationValue(click.ParamType[timedelta]):
    """A duration as in task files: `30s`, `15m`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from taskcfg.spec.duration import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class InstantValue(click.ParamType[datetime]):
    """An instant: ISO 8601, without an offset in this machine's zone; `now`; or a duration ago, `2h`."""

    name = "instant"

    def __init__(self, *, sign: int) -> None:
        self._sign = sign

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from taskcfg_cli.render.times import parse_instant

        try:
            return value if isinstance(value, datetime) else parse_instant(value, sign=self._sign)
        except (ValueError, OverflowError):
            direction = "ago" if self._sign < 0 else "from now"
            self.fail(
                f"`{value}` is not an instant such as `2026-10-25T01:30:00Z`, `2026-10-25`, `now`"
                f" or `2h` ({direction})",
                param,
                ctx,
            )


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
