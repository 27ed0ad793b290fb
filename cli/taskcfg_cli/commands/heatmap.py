"""`taskcfg heatmap`: how many fires come when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.progress import progress
from taskcfg_cli.wanted import wanted_tasks

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from taskcfg.control.heatmap import BusyMinute, Heatmap
    from taskcfg.spec.selection import Selection

WEEK = timedelta(days=7)
NO_QUEUE = "(the app's own)"
HEADINGS = ("", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MOST_QUEUES = 2
"""So many queues are named beside a minute."""


@click.command("heatmap")
@options.selectors()
@options.span("now", end="a week after")
@click.option(
    "--timezone",
    "zone",
    type=options.ZoneValue(),
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Whose hours and weekdays.",
)
@options.task_files
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    start: datetime | None,
    end: datetime | None,
    zone: ZoneInfo,
    files: tuple[Path, ...],
) -> ExitCode:
    """Show how many fires come in each hour of the week.

    And which minutes are the busiest, by queue. Counts the fires of all live tasks, or of those asked for.
    """
    wanted = wanted_tasks(invocation, files, selection)
    from taskcfg.clock import SystemClock
    from taskcfg.control.heatmap import heatmap

    start = start or SystemClock().now()
    with progress("Counting fires", quiet=invocation.as_json):
        found = heatmap(wanted.specs.values(), start, end or start + WEEK, zone)
    if invocation.as_json:
        print_json(found.document())
    elif found.fires:
        for line in _lines(found):
            click.echo(line)
    firing = set(wanted.specs) if found.fires else set()
    for line in wanted.remarks(selection, firing):
        click.echo(line, err=True)
    return ExitCode.ERROR if wanted.unreadable else ExitCode.DONE


def _lines(found: Heatmap) -> Iterator[str]:
    from taskcfg.errors import count
    from taskcfg_cli.render.table import shortened, table

    start, end = (f"{each.astimezone(found.zone):%Y-%m-%d %H:%M}" for each in (found.start, found.end))
    number = count(found.fires, "fire").replace(str(found.fires), f"{found.fires:,}")
    yield f"{number} of {count(found.tasks, 'task')} from {start} to {end}, {found.zone.key}"
    yield ""
    yield from _grid(found.hours(found.minutes))
    yield ""
    yield from table(["MINUTE OF THE HOUR", "FIRES", "SHARE"], _minutes_of_the_hour(found))
    yield ""
    busiest = found.busiest(found.minutes)
    rows = [[_when(found, each.at), f"{each.fires:,}", _by_queue(each)] for each in busiest]
    yield from table(["BUSIEST MINUTES", "FIRES", "BY QUEUE"], rows)
    yield ""
    rows = []
    for queue, minutes in found.ranked_queues():
        (peak,) = found.busiest(minutes, 1)
        most = max(minutes.values())
        rows.append(
            [
                shortened(queue, 50) if queue else NO_QUEUE,
                f"{minutes.total():,}",
                f"{_when(found, peak.at)}: {most:,}",
            ]
        )
    yield from table(["QUEUE", "FIRES", "BUSIEST MINUTE"], rows)


def _grid(hours: list[list[int]]) -> Iterator[str]:
    """Yield a line for each hour, a column for each weekday; what is busy is coloured on a terminal."""
    highest = max(map(max, hours))
    cells = [[f"{day[hour]:,}" if day[hour] else "." for day in hours] for hour in range(24)]
    width = max(5, *(len(cell) for row in cells for cell in row))
    yield "     " + "  ".join(f"{heading:>{width}}" for heading in HEADINGS[1:])
    for hour, row in enumerate(cells):
        shown = [_shaded(f"{cell:>{width}}", hours[day][hour], highest) for day, cell in enumerate(row)]
        yield f"{hour:02}   " + "  ".join(shown)


def _shaded(cell: str, fires: int, highest: int) -> str:
    if fires * 4 >= highest * 3:
        return click.style(cell, fg="red")
    return click.style(cell, fg="yellow") if fires * 2 >= highest else cell


def _minutes_of_the_hour(found: Heatmap, most: int = 5) -> list[list[str]]:
    """Return the minutes at which the most fires come, whatever the hour."""
    fires = found.minutes_of_the_hour()
    ranked = sorted(range(60), key=lambda minute: (-fires[minute], minute))[:most]
    return [
        [f":{minute:02}", f"{fires[minute]:,}", f"{fires[minute] / found.fires:.0%}"]
        for minute in ranked
        if fires[minute]
    ]


def _when(found: Heatmap, at: datetime) -> str:
    local = at.astimezone(found.zone)
    return f"{local:%a} {local.day} {local:%b %H:%M}"


def _by_queue(busy: BusyMinute) -> str:
    from taskcfg_cli.render.table import shortened

    named = [f"{shortened(queue, 20) if queue else NO_QUEUE} {fires:,}" for queue, fires in busy.queues]
    rest = len(named) - MOST_QUEUES
    return ", ".join(named[:MOST_QUEUES]) + (f" and {rest} more" if rest > 0 else "")
