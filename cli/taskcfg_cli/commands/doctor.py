"""`taskcfg doctor`: is everything as it must be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.findings import Finding

COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@options.output()
@options.settings("tasks_dir", "database_url", "broker_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation) -> int:
    """Check the set-up, and say what to do.

    Each check by itself; exits 1 when one fails.
    """
    findings = []
    for finding in _examined(invocation):
        findings.append(finding)
        if not invocation.as_json:
            _print(finding)
    healthy = all(finding.ok for finding in findings)
    if invocation.as_json:
        print_json({"healthy": healthy, "checks": [finding.document() for finding in findings]})
    return ExitCode.DONE if healthy else ExitCode.ERROR


def _examined(invocation: Invocation) -> Iterator[Finding]:
    from taskcfg.errors import InvalidSettings

    try:
        settings = invocation.settings()
    except InvalidSettings as error:
        from taskcfg.control.findings import failed

        yield failed("settings", error)
        return
    from taskcfg.clock import SystemClock
    from taskcfg.control.doctor import examine

    yield from examine(settings, SystemClock())


def _print(finding: Finding) -> None:
    from taskcfg_cli.render.table import one_line

    level = finding.level.value
    word = click.style(level.ljust(4), fg=COLORS[level])
    click.echo(f"{word}  {finding.check.ljust(11)} {one_line(finding.reason)}")
    if finding.hint:
        click.echo(f"{' ' * 18}{one_line(finding.hint)}")
