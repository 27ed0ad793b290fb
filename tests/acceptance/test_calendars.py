"""Calendars as their users have them: a file in git, a plan, and no fire on a holiday."""

from acceptance.project import Project

TASK = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 9 * * *", skip_on: [closures], timezone: Europe/Berlin}
    params: {target: files, path: var, pattern: "*.tmp", older_than: 1d}
"""


def fires(project: Project, *words: str) -> list[str]:
    document = project.ok(
        "next", "nightly", "--from", "2030-12-23", "--to", "2030-12-29", "--format", "json", *words
    ).json
    return [fire["nominal_at"][:10] for fire in document["fires"]]


def test_no_fire_falls_on_a_holiday_and_an_edit_of_the_calendar_alone_is_a_change(project: Project) -> None:
    project.write("tasks.d/a.yaml", TASK)
    project.write("calendars/closures.yaml", "holidays: {country: DE}\n")

    project.ok("db", "upgrade")
    assert "No problems: 1 task in 2 files" in project.ok("validate").out
    project.ok("apply", "--yes")
    assert fires(project) == ["2030-12-23", "2030-12-24", "2030-12-27", "2030-12-28"]

    project.write("calendars/closures.yaml", "holidays: {country: DE}\ndates: [2030-12-24]\n")
    planned = project.run("plan", "--detailed-exitcode")

    assert planned.code == 2, planned
    assert "      schedule.skip_on  closures: 1 date more: +2030-12-24\n" in planned.out
    project.ok("apply", "--yes")
    assert fires(project) == ["2030-12-23", "2030-12-27", "2030-12-28"]
    assert "No changes" in project.ok("plan").out
    assert 'schedule.skip_on  ["closures"]: its days are others' in project.ok("revisions", "2").out


def test_a_mistake_in_a_calendar_stops_the_apply_with_its_place(project: Project) -> None:
    project.write("tasks.d/a.yaml", TASK)
    project.write("calendars/closures.yaml", "weekdays: [7]\n")

    refused = project.run("apply", "--yes")

    assert refused.code == 1, refused
    assert "calendars/closures.yaml:1:12: weekdays: `7` is a number" in refused.out + refused.err
