"""`taskcfg explain`: the resolved task, each value with where it came from; offline."""

import re
from typing import Any

import pytest

from acceptance.project import Project

FILE = """\
defaults:
  owner: platform
  retry: {attempts: 3, delay: 30s}
tasks:
  nightly:
    type: http
    schedule: {cron: "0 2 * * MON-FRI"}
    timezone: Europe/Berlin
    params: {url: "https://${env:HOST:-example.org}/", headers: {Authorization: "Bearer ${secret:TOKEN}"}}
    timeout: 10m
    priority:
"""


@pytest.fixture
def explained(project: Project) -> Project:
    project.write("tasks.d/_defaults.yaml", "queue: slow\nlabels: {team: top, tier: '2'}\npriority: 7\n")
    project.write("tasks.d/team/_defaults.yml", "labels: {team: own}\nparams: {method: POST}\n")
    project.write("tasks.d/team/a.yaml", FILE)
    return project


def values(document: Any) -> dict[str, tuple[Any, ...]]:
    return {
        each["field"]: (each["value"], each["origin"], each["file"], each["line"], each["reference"])
        for each in document["values"]
    }


def test_each_value_comes_with_who_says_it_and_where(explained: Project) -> None:
    document = explained.ok("explain", "nightly", "-o", "json", env={"HOST": "hooks.test"}).json

    assert {key: document[key] for key in ("task", "type", "file", "line")} == {
        "task": "nightly",
        "type": "http",
        "file": "tasks.d/team/a.yaml",
        "line": 5,
    }
    file, above, top = "tasks.d/team/a.yaml", "tasks.d/team/_defaults.yml", "tasks.d/_defaults.yaml"
    found = values(document)
    expected = {
        "type": ("http", "task", file, 6, None),
        "schedule.cron": ("0 2 * * MON-FRI", "task", file, 7, None),
        "params.url": ("https://hooks.test/", "task", file, 9, "https://${env:HOST:-example.org}/"),
        "params.method": ("POST", "folder_defaults", above, 2, None),
        "params.timeout": (30, "type", None, None, None),
        "params.headers.Authorization": (
            "Bearer ${secret:TOKEN}", "task", file, 9, "Bearer ${secret:TOKEN}",
        ),
        "timeout": (600, "task", file, 10, None),
        "priority": (5, "task", file, 11, None),
        "queue": ("slow", "folder_defaults", top, 1, None),
        "labels.team": ("own", "folder_defaults", above, 1, None),
        "labels.tier": ("2", "folder_defaults", top, 2, None),
        "owner": ("platform", "file_defaults", file, 2, None),
        "retry.attempts": (3, "file_defaults", file, 3, None),
        "retry.backoff": ("fixed", "taskcfg", None, None, None),
        "enabled": (True, "taskcfg", None, None, None),
    }  # fmt: skip
    assert {field: found[field] for field in expected} == expected


def test_schedule_and_policies_are_in_words_with_the_next_three_fires(explained: Project) -> None:
    document = explained.ok("explain", "nightly", "-o", "json").json

    assert document["schedule"] == {
        "words": "at 02:00 on Monday to Friday, Europe/Berlin",
        "timezone": "Europe/Berlin",
        "clock_policy": [
            "a time that clocks skip fires right after, once; one shown twice fires once, the first time",
        ],
    }
    assert document["policies"] == {
        "overlap": "a fire is skipped while an earlier one is live",
        "missed": "of missed fires the latest is made up for, if it is at most 1d old",
        "failure": "tried again up to 2 times, after 30s",
        "timeout": "stopped after 10m, which counts as a failure",
        "expiry": "none: it is started however late",
        "lost worker": "it is dispatched again, at most 3 times",
    }
    assert [fire["local"][11:19] for fire in document["fires"]] == ["02:00:00"] * 3


def test_the_same_as_text(explained: Project) -> None:
    lines = explained.ok("explain", "nightly").out.splitlines()
    cells = {line.split()[0]: line.split()[1:] for line in lines if line}

    assert cells["nightly"] == ["tasks.d/team/a.yaml:5"]
    assert cells["queue"] == ['"slow"', "tasks.d/_defaults.yaml:1"]
    assert cells["params.url"][:2] == ['"https://example.org/"', "tasks.d/team/a.yaml:9"]
    assert cells["params.timeout"] == ["30", "type", "`http`"]
    assert cells["catch_up"] == ['"latest"', "default"]
    assert "schedule       at 02:00 on Monday to Friday, Europe/Berlin" in lines


def test_it_looks_in_the_files_given_and_names_what_is_not_there(explained: Project) -> None:
    explained.write("other.yaml", FILE.replace("nightly", "weekly"))

    given = explained.ok("explain", "weekly", "-f", "other.yaml", "-o", "json").json
    missing = explained.run("explain", "nightl")

    assert values(given)["queue"][1] == "taskcfg"
    assert missing.code == 1
    assert "nightly" in missing.err


def test_a_broken_task_shows_its_problems_and_another_ones_do_not_hide_it(explained: Project) -> None:
    explained.write("tasks.d/b.yaml", "tasks: {broken: {type: celery, schedule: manual}}\n")

    fine = explained.ok("explain", "nightly")
    broken = explained.run("explain", "broken")

    assert "1 problem in other tasks of these files" in fine.err
    assert broken.code == 1
    assert "tasks.d/b.yaml:1:9: params.task: missing" in broken.err


NIGHTS = """\
tasks:
  fixed: {type: http, schedule: {cron: "30 2 * * *"}, timezone: Europe/Berlin, params: {url: "http://a.test"}}
  often: {type: http, schedule: {cron: "*/15 * * * *"}, timezone: Europe/Berlin, params: {url: "http://a.test"}}
  plain: {type: http, schedule: {cron: "30 2 * * *"}, params: {url: "http://a.test"}}
"""


def test_the_next_clock_changes_and_what_happens_then(project: Project) -> None:
    project.write("nights.yaml", NIGHTS)

    text = project.ok("explain", "fixed", "-f", "nights.yaml").out
    often = project.ok("explain", "often", "-f", "nights.yaml").out
    plain = project.ok("explain", "plain", "-f", "nights.yaml").out

    day = r"  Sun \d+ (Mar|Oct) \d{4}, clocks"
    assert re.search(f"{day} go from 02:00 to 03:00: 02:30 does not exist; fires at 03:00\n", text)
    assert re.search(f"{day} go back from 03:00 to 02:00: 02:30 comes twice; fires once, the first\n", text)
    assert "clock changes  a time that clocks skip fires right after, once; one shown twice" in text
    assert "4 times from 02:00 to 02:45 come twice; 4 fires more that day" in often
    assert "next clock changes" not in plain


def test_the_next_clock_changes_as_json(project: Project) -> None:
    project.write("nights.yaml", NIGHTS)

    changes = project.ok("explain", "fixed", "-f", "nights.yaml", "-o", "json").json["clock_changes"]

    forward = next(change for change in changes if change["shift"] == 3600)
    assert set(forward) == {"timezone", "at", "from", "to", "shift", "words", "effects"}
    assert forward["timezone"] == "Europe/Berlin"
    assert (forward["at"][10:], forward["from"][10:], forward["to"][10:]) == (
        "T01:00:00Z", "T02:00:00+01:00", "T03:00:00+02:00",
    )  # fmt: skip
    assert forward["effects"] == [
        {
            "schedule": "30 2 * * * (Europe/Berlin)",
            "times": 1,
            "fires": 1,
            "words": "02:30 does not exist; fires at 03:00",
        }
    ]
    assert {change["shift"] for change in changes} == {3600, -3600}
