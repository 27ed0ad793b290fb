"""Schedules in task files: every form, what stands beside it, and what is inherited."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given

from schedule_strategies import CALENDARS, schedules
from taskcfg.problems import Severity
from taskcfg.source.loader import load_folder
from taskcfg.source.reading import FileReading, Reading, read_file
from taskcfg.source.schedules.prospects import Prospect, prospect
from taskcfg.source.writing import declaration_of, file_text
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.schedule import (
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Qualified,
    Repeat,
    Schedule,
    Union,
    parts_of,
    schedule_document,
)
from taskcfg.spec.schedule_reading import schedule_from_document
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.cron import read_cron
from taskcfg.types.registry import Registry

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
REGISTRY = Registry()
DAILY = Every(timedelta(days=1))
HOLIDAYS, WEEKENDS = CALENDARS["holidays"], CALENDARS["weekends"]


def read(text: str, calendars: dict[str, Calendar | None] | None = None) -> FileReading:
    known = dict(CALENDARS) if calendars is None else calendars
    return read_file(text.encode(), "a.yaml", Reading(REGISTRY, NOW, calendars=known))


def file(schedule: str, defaults: str = "timezone: Europe/Berlin", name: str = "a") -> str:
    return (
        f"defaults: {{type: celery, params: {{task: t}}, {defaults}}}\n"
        f"tasks: {{{name}: {{schedule: {schedule}}}}}\n"
    )


def only(schedule: str, defaults: str = "timezone: Europe/Berlin", name: str = "a") -> Schedule:
    found = read(file(schedule, defaults, name))
    assert [problem.text() for problem in found.problems] == []
    (task,) = found.tasks
    assert task.spec is not None
    return task.spec.schedule


def problems(schedule: str, calendars: dict[str, Calendar | None] | None = None) -> list[str]:
    found = read(file(schedule), calendars)
    assert all(task.spec is None for task in found.tasks)
    return [problem.text() for problem in found.problems]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        ('{cron: " 0  9 * *  mon-fri"}', Cron("0 9 * * mon-fri")),
        ('{cron: "15 0 3 * * *"}', Cron("15 0 3 * * *")),
        ('{cron: "@Hourly"}', Cron("@hourly")),
        ("{cron: {hour: 4}}", CronFields((("hour", "4"),))),
        (
            '{cron: {year: 2027, day_of_week: [mon, "wed - fri"], second: "*/5"}}'.replace(" - ", "-"),
            CronFields((("second", "*/5"), ("day_of_week", "MON,WED-FRI"), ("year", "2027"))),
        ),
        ('{cron: {hour: "9, 17", minute: }}', CronFields((("hour", "9,17"),))),
        ("{every: 1d, anchor: 2026-01-01T00:00}", Every(timedelta(days=1), at("2025-12-31T23:00:00Z"))),
        ("{every: 1d, anchor: }", DAILY),
        ("[{every: 1d}]", DAILY),
        ("[{every: 1d}, {every: 24h}]", DAILY),
        ("{every: 1d, start: 2026-07-01T00:00}", Qualified(DAILY, start=at("2026-06-30T22:00:00Z"))),
        (
            "{every: 1d, end: 2026-07-01T00:00, timezone: Asia/Tokyo}",
            Qualified(DAILY, end=at("2026-06-30T15:00:00Z"), timezone="Asia/Tokyo"),
        ),
        (
            "{at: 2099-07-01T00:00, timezone: UTC}",
            Qualified(At((at("2099-07-01T00:00:00Z"),)), timezone="UTC"),
        ),
        (
            '{cron: "0 3 * * *", dst: {gap: skip, overlap: both}}',
            Qualified(Cron("0 3 * * *"), dst=Dst(Gap.SKIP, Repeat.BOTH)),
        ),
        ('{cron: "0 3 * * *", dst: {gap: }}', Cron("0 3 * * *")),
        ("{every: 1d, skip_on: [holidays, weekends]}", Qualified(DAILY, skip_on=(HOLIDAYS, WEEKENDS))),
        ('{every: 1d, only_on: "2026"}'.replace('"2026"', "weekends"), Qualified(DAILY, only_on=(WEEKENDS,))),
        ("{every: 1d, skip_on: [], only_on: }", DAILY),
    ],
)
def test_each_form_is_read_as_what_it_says(written: str, schedule: Schedule) -> None:
    assert only(written) == schedule


def test_a_list_is_the_union_of_its_elements_in_whatever_order() -> None:
    one = only('[{every: 1d}, {cron: "0 3 * * *", timezone: UTC}]')

    assert isinstance(one, Union)
    assert set(one.parts) == {DAILY, Qualified(Cron("0 3 * * *"), timezone="UTC")}
    assert one == only('[{cron: "0 3 * * *", timezone: UTC}, {every: 1d}, {every: 86400}]')


def test_h_is_a_plain_time_of_the_task_and_another_task_has_its_own() -> None:
    schedules = {name: only('{cron: "H H(4-9) * * *"}', name=name) for name in ("a", "b", "c", "d")}
    fields = only("{cron: {minute: H/15}}")

    assert len(set(schedules.values())) > 1
    assert only('{cron: "H H(4-9) * * *"}') == schedules["a"]
    for schedule in schedules.values():
        assert isinstance(schedule, Cron)
        minute, hour, *rest = schedule.expression.split()
        assert 0 <= int(minute) <= 59 and 4 <= int(hour) <= 9 and rest == ["*", "*", "*"]
        assert read_cron(schedule.expression).text == schedule.expression
    assert isinstance(fields, CronFields) and "H" not in fields.fields[0][1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{every: 1d, skip_on: [holidys]}",
            [
                "a.yaml:2:45: schedule.skip_on[0]: no calendar is named `holidys`\n"
                "    did you mean `holidays`? `calendars/holidys.yaml` would be its file"
            ],
        ),
        (
            "[{every: 1d}, {every: 2d, only_on: nights}]",
            [
                "a.yaml:2:58: schedule[1].only_on: no calendar is named `nights`\n"
                "    expected `2026`, `holidays`, `weekends`; `calendars/nights.yaml` would be its file"
            ],
        ),
        (
            "{every: 1d, only_on: [weekends], skip_on: [weekends]}",
            [
                "a.yaml:2:44: schedule.only_on: nothing ever fires on the days that `skip_on` and `only_on`"
                " leave\n    mend the schedule, or remove it"
            ],
        ),
        (
            '{cron: "0 9 25 12 *", skip_on: [holidays], start: 2026-12-01T00:00, end: 2027-02-01T00:00}',
            [
                "a.yaml:2:96: schedule.end: nothing fires between 2026-12-01T00:00:00+01:00 and"
                " 2027-02-01T00:00:00+01:00 on the days that `skip_on` leaves\n"
                "    mend the schedule, or remove it"
            ],
        ),
    ],
)
def test_what_calendars_do_wrong_is_a_problem_at_its_place(written: str, said: list[str]) -> None:
    assert problems(written) == said


def test_a_calendar_that_is_broken_is_reported_where_it_stands_and_the_task_is_not_used() -> None:
    assert problems("{every: 1d, skip_on: [holidays]}", {"holidays": None}) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{every: 1d, end: 2026-01-01T00:00}", "2:40: schedule.end"),
        ("{cron: {hour: 9, year: 2020}}", "2:30: schedule.cron"),
        ("{every: 1d, start: 2027-05-01T00:00, only_on: [holidays]}", None),
        ('{every: 1d, only_on: ["2026"]}', "2:44: schedule.only_on"),
        ("[{at: 2020-01-01T00:00}, {every: 1d, end: 2021-01-01T00:00}]", "2:23: schedule"),
    ],
)
def test_a_schedule_that_is_over_is_a_warning(written: str, said: str | None) -> None:
    found = read(file(written))

    if said is None:
        assert found.problems[0].severity is Severity.ERROR
        return
    (problem,) = found.problems
    assert problem.severity is Severity.WARNING
    assert problem.text().startswith(
        f"a.yaml:{said.partition(' ')[0]} warning: {said.partition(' ')[2]}: is over"
    )
    assert found.tasks[0].spec is not None


def test_a_list_is_not_over_while_one_of_it_fires() -> None:
    assert isinstance(only("[{at: 2020-01-01T00:00}, {every: 1d}]"), Union)


@pytest.mark.parametrize(
    ("default", "own", "schedule"),
    [
        ("{timezone: UTC}", '{cron: "0 3 * * *"}', Qualified(Cron("0 3 * * *"), timezone="UTC")),
        ("{skip_on: [holidays]}", "{every: 1d}", Qualified(DAILY, skip_on=(HOLIDAYS,))),
        ("{skip_on: [holidays]}", "{every: 1d, skip_on: [weekends]}", Qualified(DAILY, skip_on=(WEEKENDS,))),
        ("{skip_on: [holidays]}", "{every: 1d, skip_on: }", DAILY),
        ("{dst: {gap: skip}, anchor: 2026-01-01T00:00:00Z}", '{cron: "0 3 * * *", dst: }', Cron("0 3 * * *")),
        ("{dst: {gap: skip}}", "{every: 1d}", DAILY),
        (
            "{dst: {gap: skip}}",
            '{cron: "0 3 * * *", dst: {overlap: both}}',
            Qualified(Cron("0 3 * * *"), dst=Dst(Gap.SKIP, Repeat.BOTH)),
        ),
        ("{every: 2d, timezone: UTC}", "{every: 1d}", Qualified(DAILY, timezone="UTC")),
        ('{cron: "0 3 * * *", timezone: UTC}', "{every: 1d}", DAILY),
        ("{cron: {hour: 9}}", "{cron: {minute: 5}}", CronFields((("minute", "5"), ("hour", "9")))),
        ("{cron: {hour: 9}}", "{timezone: UTC}", Qualified(CronFields((("hour", "9"),)), timezone="UTC")),
        ("{every: 2d, timezone: UTC}", "[{every: 1d}]", DAILY),
        ("[{every: 2d}]", "{every: 1d}", DAILY),
    ],
)
def test_what_a_default_says_of_schedules(default: str, own: str, schedule: Schedule) -> None:
    assert only(own, f"schedule: {default}") == schedule


def test_a_default_without_a_rule_goes_beside_each_of_a_list() -> None:
    found = only(
        "[{every: 1d}, {at: 2099-01-01T00:00}]", "schedule: {timezone: Asia/Tokyo, dst: {gap: skip}}"
    )

    assert {part.timezone for part in parts_of(found) if isinstance(part, Qualified)} == {"Asia/Tokyo"}
    assert {part.rule for part in parts_of(found) if isinstance(part, Qualified)} == {
        DAILY,
        At((at("2098-12-31T15:00:00Z"),)),
    }


def test_a_default_without_a_rule_stays_where_a_nearer_one_is_replaced(
    tmp_path: Path,
) -> None:
    (tmp_path / "_defaults.yaml").write_text(
        "type: celery\nparams: {task: t}\nschedule: {timezone: Asia/Tokyo}\n"
    )
    (tmp_path / "a.yaml").write_text(
        'defaults: {schedule: {cron: "0 3 * * *", start: 2026-01-01T00:00}}\n'
        "tasks: {a: {schedule: {every: 1d}}, b: , c: {schedule: manual}}\n"
    )

    found = {
        spec.name: spec.schedule for spec in load_folder(tmp_path, REGISTRY, root=tmp_path, now=NOW).specs
    }

    assert found["a"] == Qualified(DAILY, timezone="Asia/Tokyo")
    assert found["b"] == Qualified(Cron("0 3 * * *"), at("2025-12-31T15:00:00Z"), timezone="Asia/Tokyo")
    assert parts_of(found["c"]) == ()


def by_digest(name: str, digest: str) -> Calendar:
    assert CALENDARS[name].digest == digest
    return CALENDARS[name]


@given(schedules)
def test_every_schedule_is_read_back_from_its_document(schedule: Schedule) -> None:
    assert schedule_from_document(schedule_document(schedule), by_digest) == schedule


@given(schedules)
def test_every_schedule_that_is_written_to_a_file_is_read_as_the_same(schedule: Schedule) -> None:
    never = [part for part in parts_of(schedule) if prospect(part, "Europe/Berlin", NOW) is Prospect.NEVER]
    assume(not never)
    spec = TaskSpec(
        "a", "celery", schedule, {"task": "t", "args": [], "kwargs": {}}, timezone="Europe/Berlin"
    )

    text = file_text({"a": declaration_of(spec, REGISTRY)})
    found = read(text)

    assert [problem.text() for problem in found.problems if problem.severity is Severity.ERROR] == [], text
    assert found.tasks[0].spec is not None
    assert found.tasks[0].spec.schedule == schedule, text
