"""`taskcfg doctor`: is everything as it must be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.auditing import Audited
    from taskcfg.control.findings import Finding

COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--audit", is_flag=True, help="Check the history instead: nothing lost, nothing doubled.")
@click.option(
    "--since",
    type=options.InstantValue(sign=-1),
    metavar="INSTANT",
    help="With --audit: since then (default: 24h); ISO 8601, or `2h` for two hours ago.",
)
@options.output()
@options.settings("tasks_dir", "database_url", "broker_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, audit: bool, since: datetime | None) -> int:
    """Check the set-up, and say what to do.

    Each check by itself; exits 1 when one fails. With --audit it checks the books: every nominal time has
    its fire, every fire its attempts, and nothing happened twice.
    """
    if audit:
        return _audit(invocation, since)
    if since is not None:
        raise click.UsageError("--since says how far back --audit goes: give both.")
    findings = []
    for finding in _examined(invocation):
        findings.append(finding)
        if not invocation.as_json:
            _print(finding)
    healthy = all(finding.ok for finding in findings)
    if invocation.as_json:
        print_json({"healthy": healthy, "checks": [finding.document() for finding in findings]})
    return ExitCode.DONE if healthy else ExitCode.ERROR


def _audit(invocation: Invocation, since: datetime | None) -> int:
    from taskcfg.control.auditing import audit

    audited = audit(invocation.settings(), since)
    if invocation.as_json:
        checks = [finding.document() for finding in audited.checks()]
        print_json({"healthy": audited.ok, "checks": checks, "audit": audited.document()})
    else:
        _print_audited(audited)
    return ExitCode.DONE if audited.ok else ExitCode.ERROR


def _print_audited(audited: Audited) -> None:
    from taskcfg_cli.render.table import one_line

    for check in audited.checks():
        _print(check)
    for finding in audited.findings():
        click.echo(f"      {one_line(str(finding))}")


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
