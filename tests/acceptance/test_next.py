"""`taskcfg next`: the coming fires, with what clock changes have to do with them."""

import re

import pytest
from icalendar import Calendar

from acceptance.project import Project

TASKS = """\
defaults: {type: http, params: {url: "https://example.org"}}
tasks:
  berlin: {schedule: {cron: "30 2 * * *"}, timezone: Europe/Berlin}
  new-york: {schedule: {cron: "30 1 * * *"}, timezone: America/New_York}
  new-york.often: {schedule: {cron: "*/30 1 * * *"}, timezone: America/New_York}
  lord-howe: {schedule: {cron: "15 2 * * *"}, timezone: Australia/Lord_Howe}
  apia: {schedule: {cron: "30 9 * * *"}, timezone: Pacific/Apia}
  santiago: {schedule: {cron: "0 0 * * *"}, timezone: America/Santiago}
  stopped: {schedule: {every: 1h}, enabled: false}
"""


@pytest.fixture
def nights(project: Project) -> Project:
    project.write("nights.yaml", TASKS)
    return project


def lines(project: Project, *words: str) -> list[str]:
    """Return what `next` prints, without how long it is until each fire: that is another day another."""
    out = project.ok("next", "-f", "nights.yaml", *words).out
    assert all(re.search(r" \S+ ago ", line) for line in out.splitlines()[1:])
    return [re.sub(r"  +\S+ ago +", " | ", line) for line in out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("task", "start", "end", "expected"),
    [
        (
            "berlin", "2025-03-29T00:00Z", "2025-04-01T00:00Z",
            [
                "Sat 29 Mar 2025 02:30 CET | berlin",
                "Sun 30 Mar 2025 03:00 CEST | berlin (02:30 does not exist that day: runs at 03:00)",
                "Mon 31 Mar 2025 02:30 CEST | berlin",
            ],
        ),
        (
            "new-york", "2025-11-01T12:00Z", "2025-11-03T12:00Z",
            [
                "Sun 2 Nov 2025 01:30 EDT | new-york (01:30 comes twice: fires once, the first)",
                "Mon 3 Nov 2025 01:30 EST | new-york (clocks have gone back by 1h)",
            ],
        ),
        (
            "new-york.often", "2025-11-02T00:00Z", "2025-11-03T00:00Z",
            [
                "Sun 2 Nov 2025 01:00 EDT | new-york.often (01:00 comes twice: this is the first)",
                "Sun 2 Nov 2025 01:30 EDT | new-york.often (01:30 comes twice: this is the first)",
                "Sun 2 Nov 2025 01:00 EST | new-york.often (01:00 comes twice: this is the second)",
                "Sun 2 Nov 2025 01:30 EST | new-york.often (01:30 comes twice: this is the second)",
            ],
        ),
        (
            "lord-howe", "2025-10-03T12:00Z", "2025-10-05T20:00Z",
            [
                "Sat 4 Oct 2025 02:15 +1030 | lord-howe",
                "Sun 5 Oct 2025 02:30 +11 | lord-howe (02:15 does not exist that day: runs at 02:30)",
                "Mon 6 Oct 2025 02:15 +11 | lord-howe",
            ],
        ),
        (
            "apia", "2011-12-29T12:00Z", "2011-12-31T00:00Z",
            [
                "Thu 29 Dec 2011 09:30 -10 | apia",
                "Sat 31 Dec 2011 00:00 +14 | apia"
                " (Fri 30 Dec 09:30 does not exist: runs at Sat 31 Dec 00:00)",
                "Sat 31 Dec 2011 09:30 +14 | apia",
            ],
        ),
        (
            "santiago", "2025-09-06T00:00Z", "2025-09-08T12:00Z",
            [
                "Sat 6 Sep 2025 00:00 -04 | santiago",
                "Sun 7 Sep 2025 01:00 -03 | santiago (00:00 does not exist that day: runs at 01:00)",
                "Mon 8 Sep 2025 00:00 -03 | santiago",
            ],
        ),
    ],
)  # fmt: skip
def test_what_clocks_skip_or_show_twice_is_said(
    nights: Project, task: str, start: str, end: str, expected: list[str]
) -> None:
    assert lines(nights, task, "--from", start, "--to", end) == expected


def test_where_tasks_have_several_zones_each_line_names_its_own(nights: Project) -> None:
    found = lines(nights, "berlin", "new-york", "--from", "2025-06-01T00:00Z", "--to", "2025-06-02T00:00Z")

    assert found == [
        "Sun 1 Jun 2025 02:30 CEST | Europe/Berlin     berlin",
        "Sun 1 Jun 2025 01:30 EDT | America/New_York  new-york",
    ]


def test_the_window_includes_its_first_instant_and_not_its_last(nights: Project) -> None:
    first, last = "2025-06-01T02:30:00+02:00", "2025-06-03T02:30:00+02:00"

    found = nights.ok("next", "berlin", "-f", "nights.yaml", "--from", first, "--to", last, "-o", "json").json

    assert [fire["local"] for fire in found["fires"]] == [first, "2025-06-02T02:30:00+02:00"]
    assert (found["from"], found["to"], found["paused"]) == (
        "2025-06-01T00:30:00Z",
        "2025-06-03T00:30:00Z",
        [],
    )
    assert set(found["fires"][0]) == {"task", "nominal_at", "fire_at", "local", "note", "paused"}


def test_a_calendar_for_other_programs(nights: Project) -> None:
    window = ("--from", "2025-03-29T00:00Z", "--to", "2025-04-01T00:00Z")

    done = nights.ok("next", "berlin", "stopped", "-f", "nights.yaml", *window, "-o", "ics")

    events = Calendar.from_ical(done.out).events
    assert [event.start.isoformat() for event in events] == [
        "2025-03-29T01:30:00+00:00", "2025-03-30T01:00:00+00:00", "2025-03-31T00:30:00+00:00",
    ]  # fmt: skip
    assert str(events[1]["DESCRIPTION"]) == (
        "at 02:30 every day, Europe/Berlin\n02:30 does not exist that day: runs at 03:00"
    )
    assert done.err == "stopped is not enabled: it fires only when it is run.\n"


def test_a_paused_task_says_which_of_its_fires_wait_for_resume(project: Project) -> None:
    project.write("tasks.d/nights.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.ok("pause", "berlin", "--reason", "INC-1")

    named = project.ok("next", "berlin", "--count", "2")
    globbed = project.ok("next", "b*", "--count", "1")
    as_json = project.ok("next", "berlin", "new-york", "--count", "1", "-o", "json").json
    project.ok("pause", "berlin", "--reason", "INC-1", "--until", "36h")
    ending = project.ok("next", "berlin", "--count", "3")

    assert [line.endswith("paused)") for line in named.out.splitlines()] == [False, True, True]
    assert re.fullmatch(r"berlin is paused by \S+ \(INC-1\): it fires only if it is resumed.\n", named.err)
    assert globbed.err == "1 task shown is paused: `taskcfg list --state paused`.\n"
    assert {fire["task"]: fire["paused"] for fire in as_json["fires"]} == {"berlin": True, "new-york": False}
    assert [(each["task"], each["reason"], each["until"]) for each in as_json["paused"]] == [
        ("berlin", "INC-1", None)
    ]
    assert [line.endswith("paused)") for line in ending.out.splitlines()[1:]] in (
        [True, False, False], [True, True, False],
    )  # fmt: skip
    assert "before then it fires only if it is resumed" in ending.err


@pytest.mark.parametrize("command", ["next", "heatmap"])
@pytest.mark.parametrize("instant", ["0001-01-01T00:00Z", "9999-12-31"])
def test_an_instant_outside_the_calendar_is_a_usage_error(
    project: Project, command: str, instant: str
) -> None:
    refused = project.run(command, "--from", instant)

    assert (refused.code, refused.out) == (64, "")
    assert f"`{instant}`: the years go from 2 to 9998" in refused.err


@pytest.mark.parametrize("command", ["next", "heatmap"])
def test_an_end_that_is_not_after_the_start_is_a_usage_error(project: Project, command: str) -> None:
    refused = project.run(command, "--to", "2027-01-01", "--from", "2027-01-02")

    assert (refused.code, refused.out) == (64, "")
    assert "--to must be after --from." in refused.err


def test_what_cannot_be_read_counts_problems_as_validate_does(project: Project) -> None:
    project.write(
        "tasks.d/two.yaml",
        "defaults: {type: http, params: {url: 'https://example.org/'}}\n"
        "tasks:\n"
        "  warned: {schedule: {cron: '0 0 31 * *'}}\n"
        "  wrong: {schedule: {cron: '0 0 30 2 *'}}\n",
    )

    refused = project.run("next", "-f", "tasks.d/two.yaml")

    assert refused.code == 1
    assert "1 problem in 1 of 1 file" in refused.err
