"""Calendar files: what they say, where they are looked for, and every problem in the words people see."""

from datetime import date
from pathlib import Path

import pytest

from taskcfg.source.calendars.holiday_dates import holiday_dates
from taskcfg.source.calendars.reading import read_calendar
from taskcfg.source.findings import Findings
from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.schedule import calendars_of
from taskcfg.types.registry import Registry

TASK = "tasks: {%s: {type: cleanup, params: {target: execution_history, older_than: 30d}, schedule: %s}}"
DAILY = '{cron: "0 9 * * *", skip_on: [%s]}'


def read(text: str) -> tuple[Calendar | None, list[str]]:
    findings = Findings("calendars/a.yaml")
    calendar = read_calendar(text.encode(), "a", findings)
    return calendar, [problem.text() for problem in findings.problems]


def has(calendar: Calendar | None, day: date) -> bool:
    assert calendar is not None
    return bool(calendar.in_month(day.year, day.month) >> day.day & 1)


def test_a_calendar_has_its_dates_its_weekdays_and_its_holidays() -> None:
    text = "dates: [2026-12-24, '2026-12-24', 2026-12-31]\nweekdays: [sat, Sunday]\nholidays: {country: DE}\n"

    calendar, problems = read(text)

    assert problems == []
    assert has(calendar, date(2026, 12, 24)) and has(calendar, date(2026, 12, 25))
    assert has(calendar, date(2026, 11, 21)) and has(calendar, date(2026, 11, 22))
    assert not has(calendar, date(2026, 11, 23))


@pytest.mark.parametrize(
    ("country", "subdivision", "day"),
    [
        ("DE", "BE", date(2026, 10, 3)),
        ("DE", "BE", date(2027, 3, 8)),  # women's day, Berlin only
        ("US", None, date(2026, 11, 26)),  # Thanksgiving
        ("US", None, date(2026, 7, 3)),  # independence day, observed on Friday
        ("DE", None, date(2026, 4, 6)),  # Easter Monday
        ("DE", None, date(2038, 4, 26)),
        ("NO", None, date(2026, 5, 17)),  # `NO` is text in YAML 1.2
        ("GB", "ENG", date(2026, 8, 31)),
    ],
)
def test_public_holidays_are_those_of_the_country(country: str, subdivision: str | None, day: date) -> None:
    where = f"subdivision: {subdivision}" if subdivision else ""

    calendar, problems = read(f"holidays:\n  country: {country}\n  {where}\n")

    assert problems == []
    assert has(calendar, day)


def test_a_holiday_of_one_subdivision_is_none_elsewhere() -> None:
    assert date(2027, 3, 8) not in holiday_dates("DE", "BY").dates


def test_holidays_span_the_same_hundred_years_whatever_the_day() -> None:
    dates = holiday_dates("DE", None).dates

    assert (min(dates), max(dates)) == (date(2000, 1, 1), date(2099, 12, 26))


NUMBERS = "crontab counts them from 0, Sunday; others, such as APScheduler, from 0, Monday"
EXAMPLE = "write `dates: [2026-12-24]`, `weekdays: [SAT, SUN]` or `holidays: {country: DE}`"
SHORT = "expected `SUN`, `MON`, `TUE`, `WED`, `THU`, `FRI`, `SAT`"
GERMAN = ", ".join(
    f"`{code}`"
    for code in [
        "BB",
        "BE",
        "BW",
        "BY",
        "HB",
        "HE",
        "HH",
        "MV",
        "NI",
        "NW",
        "RP",
        "SH",
        "SL",
        "SN",
        "ST",
        "TH",
        "Augsburg",
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"1:1: the calendar names no days\n    {EXAMPLE}"),
        ("[2026-12-24]", f"1:1: expected a mapping, found a list\n    {EXAMPLE}"),
        ("{}", f"1:1: has none of `dates`, `weekdays` and `holidays`\n    {EXAMPLE}"),
        ("x-note: 1", f"1:1: has none of `dates`, `weekdays` and `holidays`\n    {EXAMPLE}"),
        (
            "dates: [2026-12-24]\nweekday: [SAT]",
            "2:1: weekday: unknown field\n    did you mean `weekdays`?",
        ),
        (
            "dates: 2026-12-24",
            "1:8: dates: expected a list, found `2026-12-24`\n    write `dates: [2026-12-24, 2026-12-31]`",
        ),
        (
            "dates: [2026-2-3]",
            "1:9: dates: expected a date, found `2026-2-3`\n    write `2026-02-03`",
        ),
        (
            "dates: [2026-12-24T00:00:00Z]",
            "1:9: dates: expected a date, found `2026-12-24T00:00:00Z`\n    write `2026-12-24`",
        ),
        ("dates: [2026-02-30]", "1:9: dates: expected a date, found `2026-02-30`\n    there is no such day"),
        ("dates: [20261224]", "1:9: dates: expected a date, found `20261224`\n    write it as `2026-12-24`"),
        ("dates: [3026-12-24]", "1:9: dates: `3026-12-24` is not within the years 1970-2199"),
        (
            "weekdays: [6]",
            f"1:12: weekdays: `6` is a number, and weekdays have several: {NUMBERS}\n"
            "    write its name: SAT, if you mean crontab's",
        ),
        (
            "weekdays: ['12']",
            f"1:12: weekdays: `12` is a number, and weekdays have several: {NUMBERS}\n"
            "    write names, such as `SAT`",
        ),
        (
            "weekdays: [saturdy]",
            "1:12: weekdays: no weekday is named `saturdy`\n    did you mean `SATURDAY`?",
        ),
        ("weekdays: [SA]", f"1:12: weekdays: no weekday is named `SA`\n    {SHORT}"),
        (
            "holidays: DE",
            "1:11: holidays: expected a mapping, found `DE`\n"
            "    write `holidays: {country: DE, subdivision: BE}`",
        ),
        (
            "holidays: {subdivision: BE}",
            "1:1: holidays.country: missing\n    write its ISO 3166 code, such as `DE` or `US`",
        ),
        (
            "holidays: {country: DE, subdivison: BE}",
            "1:25: holidays.subdivison: unknown field\n    did you mean `subdivision`?",
        ),
        (
            "holidays: {country: de}",
            "1:21: holidays.country: no holidays of a country `de` are known\n    did you mean `DE`?",
        ),
        (
            "holidays: {country: Germany}",
            "1:21: holidays.country: no holidays of a country `Germany` are known\n"
            "    write its ISO 3166 code, such as `DE` or `US`",
        ),
        (
            "holidays: {country: DE, subdivision: XX}",
            f"1:38: holidays.subdivision: `DE` has no subdivision `XX`\n    it has {GERMAN}",
        ),
        (
            "holidays: {country: US, subdivision: ny}",
            "1:38: holidays.subdivision: `US` has no subdivision `ny`\n    did you mean `NY`?",
        ),
        (
            "holidays: {country: FR, subdivision: 57}",
            "1:38: holidays.subdivision: expected text, found `57`\n    put it in quotes",
        ),
        (
            "holidays: {country: BV}",
            "1:21: holidays.country: no holiday of `BV` is known\n    write `dates` instead",
        ),
        (
            "dates: [2026-12-24]\n---\ndates: [2026-12-25]",
            "3:1: a calendar is one document\n    write a file for each calendar",
        ),
    ],
)
def test_a_mistake_in_a_calendar_says_where_it_is_and_what_to_do(text: str, expected: str) -> None:
    calendar, problems = read(text)

    assert calendar is None
    assert problems == [f"calendars/a.yaml:{expected}"]


def test_every_mistake_is_reported_at_once() -> None:
    _, problems = read("dates: [x, y]\nweekdays: [0]\nholidays: {country: XX}\nother: 1\n")

    assert len(problems) == 5


def test_what_is_known_of_too_few_years_and_what_has_no_days_is_a_warning() -> None:
    sri_lanka, known = read("holidays: {country: LK}")
    empty, none = read("dates: []")

    assert sri_lanka is not None and empty is not None
    assert known[0].startswith(
        "calendars/a.yaml:1:21: warning: holidays.country: those of `LK` are known until"
    )
    assert none == ["calendars/a.yaml:1:1: warning: the calendar names no days"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, "tasks.d/a.yaml", TASK % ("a", DAILY % "beside, inside"))
    write(tmp_path, "calendars/beside.yaml", "dates: [2026-12-24]")
    write(tmp_path, "tasks.d/calendars/inside.yml", "weekdays: [SAT]")
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def load(project: Path) -> Loaded:
    return load_folder(project / "tasks.d", Registry(), root=project)


def texts(loaded: Loaded) -> list[str]:
    return [problem.text() for problem in loaded.problems]


def test_calendars_stand_beside_the_tasks_folder_or_inside_it(project: Path) -> None:
    loaded = load(project)

    assert texts(loaded) == []
    assert (loaded.files, loaded.tasks) == (3, 1)
    assert [each.name for each in calendars_of(loaded.specs[0].schedule)] == ["beside", "inside"]


def test_a_changed_calendar_is_a_changed_task_and_a_changed_digest_of_the_files(project: Path) -> None:
    before = load(project)

    write(project, "calendars/beside.yaml", "dates: [2026-12-24, 2026-12-31]")
    after = load(project)

    assert before.digest != after.digest
    assert before.specs[0].digest != after.specs[0].digest


def test_a_calendar_that_no_task_names_is_checked_too(project: Path) -> None:
    write(project, "calendars/other.yaml", "dates: [soon]")

    loaded = load(project)

    assert [text.partition("\n")[0] for text in texts(loaded)] == [
        "calendars/other.yaml:1:9: dates: expected a date, found `soon`"
    ]
    assert [spec.name for spec in loaded.specs] == ["a"]


def test_a_calendar_of_the_same_name_in_both_places_or_with_both_endings_names_both(project: Path) -> None:
    write(project, "tasks.d/calendars/beside.yaml", "dates: [2026-12-24]")
    write(project, "tasks.d/calendars/inside.yaml", "dates: [2026-12-24]")

    loaded = load(project)

    assert texts(loaded)[:2] == [
        "calendars/beside.yaml: calendar `beside` is declared twice\n"
        "    also at tasks.d/calendars/beside.yaml\n    keep one of them",
        "tasks.d/calendars/inside.yaml: calendar `inside` is declared twice\n"
        "    also at tasks.d/calendars/inside.yml\n    keep one of them",
    ]
    assert loaded.specs == ()


def test_a_file_that_names_no_calendar_is_a_problem_and_temp_files_are_not(project: Path) -> None:
    write(project, "calendars/our days.yaml", "dates: [2026-12-24]")
    write(project, "calendars/.beside.yaml.swp.yaml", "dates: [soon]")
    write(project, "calendars/_draft.yaml", "dates: [soon]")

    assert texts(load(project)) == [
        "calendars/our days.yaml: no calendar can be named like this\n"
        "    its file's name has letters and digits, with `.`, `_` and `-` inside, before `.yaml`"
    ]


def test_a_file_elsewhere_names_its_own_calendars_and_then_the_projects(project: Path) -> None:
    file = write(project, "other/tasks/b.yaml", TASK % ("b", DAILY % "beside, inside"))
    write(project, "other/calendars/beside.yaml", "dates: [2030-01-01]")
    write(project, "calendars/unused.yaml", "dates: [soon]")

    loaded = load_files([file], Registry(), root=project, tasks_dir=project / "tasks.d")

    assert texts(loaded) == []
    assert loaded.files == 3
    beside, inside = calendars_of(loaded.specs[0].schedule)
    assert beside.dates == {date(2030, 1, 1)}
    assert inside.name == "inside"


def test_a_text_names_the_projects_calendars(project: Path) -> None:
    loaded = load_text(
        TASK % ("b", DAILY % "beside"), Registry(), root=project, tasks_dir=project / "tasks.d"
    )

    assert texts(loaded) == []
    assert (loaded.files, len(loaded.specs)) == (2, 1)


@pytest.mark.parametrize("what", ["calendars/beside.yaml", "calendars"])
def test_a_calendar_can_be_checked_by_itself(project: Path, what: str) -> None:
    write(project, "calendars/beside.yaml", "dates: [soon]")

    loaded = load_files([project / what], Registry(), root=project, tasks_dir=project / "tasks.d")

    assert [text.partition("\n")[0] for text in texts(loaded)] == [
        "calendars/beside.yaml:1:9: dates: expected a date, found `soon`"
    ]
    assert loaded.files == 1
