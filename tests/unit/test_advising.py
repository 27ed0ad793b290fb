"""Warnings stand where what they are about is written: in a task, in a list, in the defaults."""

import re
from datetime import UTC, datetime

from taskcfg.source.loader import load_text
from taskcfg.types.registry import Registry

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def places(text: str) -> list[str]:
    """Return each warning's field and what is written where it stands."""
    found = load_text(text, Registry(), now=NOW)
    assert found.valid
    lines = text.splitlines()
    there = [lines[each.position.line - 1][each.position.column - 1 :] for each in found.problems]
    return [
        f"{each.field} at {re.split('[,}]', rest)[0]}"
        for each, rest in zip(found.problems, there, strict=True)
    ]


def tasks(*lines: str, defaults: str = "{}") -> str:
    """Return a file with one task for each of *lines*, from line 3 on."""
    written = [
        f"  t{number}: {{type: http, params: {{url: 'https://e.org/'}}, {line}}}"
        for number, line in enumerate(lines)
    ]
    return "\n".join([f"defaults: {defaults}", "tasks:", *written])


def test_each_schedule_of_a_list_is_warned_of_at_its_own_place() -> None:
    text = tasks('schedule: [{cron: "0 0 31 * *"}, {every: 1h}, {cron: "*/7 * * * *"}]')

    assert places(text) == ['schedule[0].cron at "0 0 31 * *"', 'schedule[2].cron at "*/7 * * * *"']


def test_the_zone_of_the_schedule_counts_before_that_of_the_task() -> None:
    night = 'cron: "30 2 * * *"'

    assert places(tasks(f"timezone: Europe/Berlin, schedule: {{{night}, timezone: Asia/Tokyo}}")) == []
    assert places(tasks(f"timezone: Asia/Tokyo, schedule: {{{night}, timezone: Europe/Berlin}}")) == [
        'schedule.cron at "30 2 * * *"'
    ]


def test_a_dst_of_the_defaults_says_that_times_are_meant_and_need_not_have_an_effect_everywhere() -> None:
    defaults = "{timezone: Europe/Berlin, schedule: {dst: {gap: skip}}}"

    assert places(tasks('schedule: {cron: "30 2 * * *"}', defaults=defaults)) == []
    assert places(tasks('schedule: {cron: "0 * * * *"}', defaults=defaults)) == []
    assert places(tasks('schedule: {cron: "0 * * * *", dst: {gap: skip}}', defaults=defaults)) == [
        "schedule.dst at {gap: skip"
    ]


def test_what_tasks_inherit_is_warned_of_once() -> None:
    defaults = '{schedule: {cron: "*/7 * * * *"}}'

    assert places(tasks("queue: a", "queue: b", defaults=defaults)) == ['schedule.cron at "*/7 * * * *"']


def test_what_is_over_is_said_to_be_and_nothing_besides() -> None:
    over = 'schedule: {cron: "*/7 * * * *", end: 2020-01-01T00:00:00Z}'

    assert places(tasks(over)) == ["schedule.end at 2020-01-01T00:00:00Z"]


def test_one_task_of_a_pile_up_is_named() -> None:
    many = tasks(*['schedule: {cron: "0 3 * * *"}'] * 10)

    assert places(many) == ["schedule at t0: {type: http"]


def test_an_instant_that_clocks_skip_or_show_twice_is_warned_of_unless_it_has_an_offset() -> None:
    zone = "timezone: Europe/Berlin, schedule"
    gap, twice = "2026-03-29T02:30", "2026-10-25T02:30"

    found = load_text(tasks(f"{zone}: {{at: [{gap}, {twice}]}}"), Registry(), now=NOW)

    assert [each.message for each in found.problems] == [
        f"schedule.at: `{gap}` does not exist in Europe/Berlin:"
        " 03:00 is meant, the first time that clocks show again",
        f"schedule.at: `{twice}` comes twice in Europe/Berlin: the first time is meant",
    ]
    assert found.valid
    assert places(tasks(f"{zone}: {{at: '{twice}:00+02:00'}}", f"{zone}: {{at: 2026-03-29T03:00}}")) == []
