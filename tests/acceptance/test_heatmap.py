"""`taskcfg heatmap`: a pile-up is seen before it happens."""

import pytest

from acceptance.project import Project

TASKS = """\
defaults: {type: http, params: {url: "https://example.org"}}
tasks:
  hourly: {schedule: {cron: "0 * * * *"}, queue: slow}
  nightly: {schedule: {cron: "0 2 * * *"}}
  weekly: {schedule: {cron: "0 2 * * MON"}, queue: slow}
  tick: {schedule: {every: 1s}, enabled: false}
  by-hand: {schedule: manual, queue: other}
"""

WEEK = ("--from", "2026-01-05T00:00Z", "--to", "2026-01-12T00:00Z")

TEXT = """\
176 fires of 4 tasks from 2026-01-05 00:00 to 2026-01-12 00:00, UTC

       MON    TUE    WED    THU    FRI    SAT    SUN
00       1      1      1      1      1      1      1
01       1      1      1      1      1      1      1
02       3      2      2      2      2      2      2
"""

REST = """\
23       1      1      1      1      1      1      1

MINUTE OF THE HOUR  FIRES  SHARE
:00                 176    100%

BUSIEST MINUTES   FIRES  BY QUEUE
Mon 5 Jan 02:00   3      slow 2, (the app's own) 1
Tue 6 Jan 02:00   2      (the app's own) 1, slow 1
"""

QUEUES = """\

QUEUE            FIRES  BUSIEST MINUTE
slow             169    Mon 5 Jan 02:00: 2
(the app's own)  7      Mon 5 Jan 02:00: 1
"""


@pytest.fixture
def piled(project: Project) -> Project:
    project.write("tasks.d/piled.yaml", TASKS)
    return project


def test_hours_minutes_and_queues_of_a_week(piled: Project) -> None:
    done = piled.ok("heatmap", "-f", "tasks.d", *WEEK)

    assert done.out.startswith(TEXT)
    assert REST in done.out
    assert done.out.endswith(QUEUES)
    assert done.err == ""
    assert max(map(len, done.out.splitlines())) <= 100
    assert done.out.isascii()


def test_what_is_busy_is_coloured_only_where_colour_is_wanted(piled: Project) -> None:
    plain = piled.ok("heatmap", "-f", "tasks.d", *WEEK)
    colored = piled.ok("heatmap", "-f", "tasks.d", *WEEK, "--color", "always")

    assert "\x1b[" not in plain.out
    assert "\x1b[31m    3\x1b[0m" in colored.out


def test_the_hours_are_those_of_the_zone_that_is_asked_for(piled: Project) -> None:
    tokyo = piled.ok(
        "heatmap", "nightly", "-f", "tasks.d", *WEEK, "--timezone", "Asia/Tokyo", "-o", "json"
    ).json
    unknown = piled.run("heatmap", "-f", "tasks.d", "--timezone", "Mars/Olympus")

    assert set(tokyo) == {
        "from", "to", "timezone", "tasks", "fires", "weekdays", "minutes_of_the_hour", "busiest", "queues",
    }  # fmt: skip
    assert [hours.index(1) for hours in tokyo["weekdays"].values()] == [11] * 7
    assert tokyo["busiest"][0]["local"] == "2026-01-05T11:00:00+09:00"
    assert unknown.code == 64
    assert "`Mars/Olympus` is not a time zone" in unknown.err


def test_by_default_it_is_the_coming_week_of_the_live_tasks(piled: Project) -> None:
    piled.ok("db", "upgrade")
    nothing = piled.ok("heatmap")
    piled.ok("apply", "--yes")
    piled.ok("pause", "hourly", "--reason", "INC-1")

    found = piled.ok("heatmap", "-l", "!team", "-o", "json")
    stopped = piled.ok("heatmap", "tick")

    assert (nothing.out, "`taskcfg apply`" in nothing.err) == ("", True)
    assert (found.json["tasks"], found.json["fires"]) == (4, 176)
    assert found.err == "1 task shown is paused: `taskcfg list --state paused`.\n"
    assert stopped.out == ""
    assert stopped.err == "Nothing fires in that time.\ntick is not enabled: it fires only when it is run.\n"
