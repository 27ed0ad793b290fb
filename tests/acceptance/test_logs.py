"""`--log-format json`: what a log collector reads from the processes that run until they are stopped."""

import json
import signal
from typing import Any

from acceptance.project import Project

TYPES = """
import logging
import sys

from taskcfg import Fire, Params, task_type


class Nothing(Params):
    pass


@task_type("talk")
def talk(params: Nothing, fire: Fire) -> None:
    print("printed", flush=True)
    print("complained", file=sys.stderr, flush=True)
    logging.getLogger("shop").warning("sold %d", 3)
    raise ValueError("out\\nof stock")
"""


def talking(project: Project) -> None:
    project.write("taskcfg.toml", 'types = ["talk"]\n')
    project.write("talk.py", TYPES)
    project.write("tasks.d/a.yaml", "tasks:\n  talker: {type: talk, schedule: {every: 1s}}\n")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_under_up_every_line_is_json_and_names_its_process(project: Project) -> None:
    talking(project)
    up = project.start("up", "--log-format", "json")
    up.wait_for("execution.failed")

    said = lines(up.stop(signal.SIGTERM).err)

    assert {line["event"] for line in said} >= {
        "up.started",
        "scheduler.started",
        "source.applied",
        "up.stopped",
    }
    failed = next(line for line in said if line["event"] == "execution.failed")
    assert (failed["process"], failed["task"], failed["attempt"]) == ("worker", "talker", 1)
    assert "out\nof stock" in failed["error"]
    printed = {line["message"] for line in said if line["event"] == "child.output"}
    assert printed == {"printed", "complained"}
    assert ("shop", "sold 3") in {(line["logger"], line["message"]) for line in said}


def test_a_process_that_cannot_start_says_so_as_json_too(project: Project) -> None:
    talking(project)

    refused = project.run("scheduler", env={"TASKCFG_LOG_FORMAT": "json"})

    (said,) = lines(refused.err)
    assert (refused.code, said["event"], said["code"]) == (1, "command.failed", "schema_mismatch")
    assert "taskcfg db upgrade" in said["hint"]


def test_a_wrong_format_is_refused(project: Project) -> None:
    assert project.run("scheduler", "--log-format", "xml").code == 64
    wrong = project.run("list", env={"TASKCFG_LOG_FORMAT": "xml"})

    assert wrong.code == 1
    assert 'TASKCFG_LOG_FORMAT: expected one of text, json, found "xml"' in wrong.err
