"""Fire times as a user meets them: jitter, outages, edits, and a time zone database that changes."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from acceptance.project import Project
from waiting import eventually
from zone_folder import CITY, ZoneFolder

TASK = """\
tasks:
  tick:
    type: cleanup
    schedule: {schedule}
    params: {{target: execution_history, older_than: 30d}}
    overlap: allow
{rest}
"""


def declare(project: Project, schedule: str, **fields: str) -> None:
    rest = "\n".join(f"    {name}: {value}" for name, value in fields.items())
    project.write("tasks.d/tick.yaml", TASK.format(schedule=schedule, rest=rest))
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")


def task(project: Project) -> Any:
    return project.ok("list", "tick", "-o", "json").json["tasks"][0]


def events(project: Project, *flags: str) -> list[Any]:
    found: list[Any] = project.ok("events", "tick", "--limit", "500", "-o", "json", *flags).json["events"]
    return sorted(found, key=lambda event: event["nominal_at"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_after_a_stop_a_task_of_seconds_has_one_missed_event_and_no_time_is_left_out(
    project: Project,
) -> None:
    declare(project, "{every: 1s}")
    first = project.start("scheduler")
    eventually(lambda: events(project))
    first.stop()
    last = instant(events(project)[-1]["nominal_at"])
    eventually(lambda: datetime.now(last.tzinfo) > last + timedelta(seconds=36))

    second = project.start("scheduler")
    eventually(lambda: events(project, "--state", "missed"))
    second.stop()

    told: list[datetime] = []
    for event in events(project):
        if event["state"] == "missed":
            told += [instant(event["nominal_at"]) + timedelta(seconds=n) for n in range(event["span_count"])]
            assert told[-1] == instant(event["span_end"])
        else:
            told.append(instant(event["nominal_at"]))
    assert len(events(project, "--state", "missed")) == 1
    assert told == [told[0] + timedelta(seconds=n) for n in range(len(told))]


def test_jitter_is_shown_beside_the_nominal_time_and_an_edit_of_words_moves_neither(project: Project) -> None:
    declare(project, '{cron: "0 3 * * *"}', jitter="50m")
    before = task(project)
    (coming,) = project.ok("next", "tick", "--count", "1", "-o", "json").json["fires"]

    declare(project, '{cron: "0 3 * * *"}', jitter="50m", description="other words")

    spread = instant(before["next_fire_at"]) - instant(before["next_nominal_at"])
    assert timedelta(0) <= spread < timedelta(minutes=50)
    assert (coming["nominal_at"], coming["fire_at"]) == (before["next_nominal_at"], before["next_fire_at"])
    assert task(project) == before
    assert "(nominal " in project.ok("list").out and " 03:00 UTC)" in project.ok("show", "tick").out


def test_a_jitter_as_long_as_the_interval_is_a_problem_that_says_the_interval(project: Project) -> None:
    project.write("tasks.d/tick.yaml", TASK.format(schedule='{cron: "*/10 * * * *"}', rest="    jitter: 10m"))

    refused = project.run("validate")

    assert refused.code == 1
    assert (
        "jitter: `10m` is not shorter than the smallest interval of the schedule, 10m"
        in refused.err + refused.out
    )


def test_a_scheduler_follows_another_time_zone_database_and_a_zone_that_is_gone_comes_back(
    project: Project, tmp_path: Path
) -> None:
    zones = ZoneFolder(tmp_path / "zones")
    zones.let_city_keep("Europe/Berlin")
    project.env["PYTHONTZPATH"] = str(zones.folder)
    declare(project, '{cron: "0 3 * * *"}', timezone=CITY)
    project.ok("scheduler", "--once")
    berlin = task(project)["next_nominal_at"]

    zones.let_city_keep("Asia/Tokyo")
    said = project.ok("scheduler", "--once").err
    tokyo = task(project)["next_nominal_at"]
    zones.take_city_away()
    project.ok("scheduler", "--once")
    gone = project.ok("show", "tick", "-o", "json").json
    zones.let_city_keep("Asia/Tokyo")
    project.ok("scheduler", "--once")

    assert "tz_database.changed from=files-" in said and "moved=1" in said
    assert (instant(berlin).hour in (1, 2), instant(tokyo).hour) == (True, 18)
    assert (gone["state"], gone["error"], gone["next_fire_at"]) == (
        "error",
        f"`{CITY}` is not a time zone",
        None,
    )
    assert (task(project)["state"], task(project)["next_nominal_at"]) == ("active", tokyo)
