"""Every form of a schedule as people see it: in `list`, `show`, `next` and `explain`."""

import re

import pytest

from acceptance.project import Project

TASKS = """\
defaults: {type: http, timezone: Europe/Berlin, params: {url: "https://example.org"}}
tasks:
  bounded: {schedule: {cron: "0 9 * * *", start: "2025-01-01T00:00", end: "2125-01-01T00:00"}}
  both: {schedule: {cron: "30 2 * * *", dst: {gap: skip, overlap: both}}}
  elsewhere: {schedule: {cron: "0 9 * * *", timezone: America/New_York}}
  fields: {schedule: {cron: {hour: 9, day_of_week: MON#1}}}
  several:
    schedule:
      - {cron: "30 2 * * *"}
      - {cron: "30 1 * * *", timezone: America/New_York}
      - {every: 90d}
    jitter: 10m
"""


@pytest.fixture
def forms(project: Project) -> Project:
    project.write("tasks.d/forms.yaml", TASKS)
    return project


def test_list_and_show_name_each_schedule_in_a_few_words(forms: Project) -> None:
    forms.ok("db", "upgrade")
    forms.ok("apply", "--yes")

    lines = forms.ok("list").out.splitlines()
    column = lines[0].index("SCHEDULE")
    shown = {line.split()[0]: re.split("  +", line[column:]) for line in lines[1:]}

    assert {name: cells[0] for name, cells in shown.items()} == {
        "bounded": "0 9 * * * (Europe/Berlin) from 2025-01-01 until 2125-01-01",
        "both": "30 2 * * * (Europe/Berlin)",
        "elsewhere": "0 9 * * * (America/New_York)",
        "fields": "hour=9 day_of_week=MON#1 (Europe/Berlin)",
        "several": "3 schedules (2 zones)",
    }
    assert re.search(r"09:00 E[SD]T", shown["elsewhere"][2])
    assert re.search(r"next fire +\w+ \d+ \w+ (\d{4} )?09:00 E[SD]T", forms.ok("show", "elsewhere").out)


def test_explain_has_a_line_for_each_schedule_of_a_list_and_the_changes_of_each_zone(forms: Project) -> None:
    text = forms.ok("explain", "several").out
    document = forms.ok("explain", "several", "-o", "json").json

    assert re.search(r"^schedule +at 01:30 every day, America/New_York;$", text, re.MULTILINE)
    assert re.search(r"^ +at 02:30 every day, Europe/Berlin;$", text, re.MULTILINE)
    assert re.search(r"^ +every 90d, counted from 1970-01-01T00:00:00Z$", text, re.MULTILINE)
    assert "in America/New_York: 30 1 * * * (America/New_York): 01:30 comes twice; fires once" in text
    assert "in Europe/Berlin: 30 2 * * * (Europe/Berlin): 02:30 does not exist; fires at 03:00" in text
    assert "jitter         a fire comes up to 10m late" in text
    assert document["schedule"]["words"].count("; and ") == 2
    assert len(document["schedule"]["clock_policy"]) == 3
    assert {change["timezone"] for change in document["clock_changes"]} == {
        "America/New_York",
        "Europe/Berlin",
    }


def test_next_follows_the_policy_and_the_zone_of_each_schedule(forms: Project) -> None:
    def fires(name: str, start: str, end: str) -> list[tuple[str, str | None]]:
        words = ("next", name, "-f", "tasks.d", "--from", start, "--to", end, "-o", "json")
        return [(fire["local"], fire["note"]) for fire in forms.ok(*words).json["fires"]]

    assert fires("both", "2026-03-28T12:00Z", "2026-03-30T12:00Z") == [("2026-03-30T02:30:00+02:00", None)]
    assert fires("both", "2026-10-25T00:00Z", "2026-10-25T12:00Z") == [
        ("2026-10-25T02:30:00+02:00", "02:30 comes twice: this is the first"),
        ("2026-10-25T02:30:00+01:00", "02:30 comes twice: this is the second"),
    ]
    assert fires("elsewhere", "2026-07-01T00:00Z", "2026-07-02T00:00Z") == [
        ("2026-07-01T09:00:00-04:00", None)
    ]


def test_jitter_shows_the_nominal_time_too_and_each_zone_of_a_list(forms: Project) -> None:
    out = forms.ok(
        "next", "several", "-f", "tasks.d", "--from", "2025-07-01T00:00Z", "--to", "2025-07-02T00:00Z"
    ).out

    assert re.search(r"02:3\d:\d\d CEST .* Europe/Berlin +several \(nominal Tue 1 Jul 2025 02:30 CEST\)", out)
    assert re.search(
        r"01:3\d:\d\d EDT .* America/New_York +several \(nominal Tue 1 Jul 2025 01:30 EDT\)", out
    )
