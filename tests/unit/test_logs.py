"""The log as JSON: every line one object, with the facts of our lines as keys."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from taskcfg.logs import JsonLines, child_line


def line(message: str, *facts: object, logger: str = "taskcfg.gate", **more: Any) -> dict[str, Any]:
    record = logging.LogRecord(logger, logging.WARNING, "x.py", 1, message, facts, more.get("exc_info"))
    record.created = 1_700_000_000.25
    text = JsonLines().format(record)
    assert "\n" not in text
    document: dict[str, Any] = json.loads(text)
    return document


def test_the_facts_of_a_line_are_keys_with_their_own_kind_of_value() -> None:
    said = line("execution.%s task=%s attempt=%d duration=%.3fs error=%r", "failed", "a b", 2, 0.5, "x=1 y")

    assert said == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "taskcfg.gate",
        "event": "execution.failed",
        "message": "execution.failed task=a b attempt=2 duration=0.500s error='x=1 y'",
        "task": "a b",
        "attempt": 2,
        "duration": 0.5,
        "error": "x=1 y",
    }


@pytest.mark.parametrize(
    ("message", "facts", "event", "kept"),
    [
        ("database.recovered", (), "database.recovered", {}),
        ("loop.failed loop=%s error=%r: again", ("a", "b"), "loop.failed", {"loop": "a", "error": "b"}),
        ("child.%s event=%s reason=%r", ("lost", "i", None), "child.lost", {"event_id": "i", "reason": None}),
        ("reaper.found %s", ("3 lost",), "reaper.found", {}),
        ("scheduler.stuck dead=%s", (["a"],), "scheduler.stuck", {"dead": ["a"]}),
        ("source.problem source=%s %s", ("main", "a.yaml: 100% wrong"), "source.problem", {"source": "main"}),
        ("a.b level=%s time=%d", ("x", 1), "a.b", {}),
        ("a.b ratio=%f", (float("nan"),), "a.b", {"ratio": "nan"}),
        ("Just words about x=%d", (1,), None, {}),
    ],
)  # fmt: skip
def test_only_what_a_line_says_as_key_and_value_is_a_key(
    message: str, facts: tuple[object, ...], event: str | None, kept: dict[str, object]
) -> None:
    said = line(message, *facts)

    assert said["event"] == event
    assert {key: said[key] for key in said.keys() - {"time", "level", "logger", "event", "message"}} == kept
    assert (said["level"], said["time"]) == ("warning", "2023-11-14T22:13:20.250Z")


def test_a_line_of_a_library_has_no_event() -> None:
    said = line("celery.ready queue=%s", "x", logger="celery.worker")

    assert (said["event"], "queue" in said) == (None, False)


def test_an_exception_and_strange_letters_stay_on_one_line() -> None:
    try:
        raise ValueError("first\nsecond \x1b é")
    except ValueError:
        said = line("gate.failed event=%s", "a\nb", exc_info=sys.exc_info())

    assert said["exception"].startswith("Traceback") and said["exception"].endswith("first\nsecond \x1b é")
    assert said["event_id"] == "a\nb"


def test_what_a_child_says_names_the_child_whatever_it_says() -> None:
    own = JsonLines().format(logging.LogRecord("taskcfg.x", logging.INFO, "x", 1, "a.b n=%d", (1,), None))

    assert json.loads(child_line("worker", own)) == {**json.loads(own), "process": "worker"}
    printed = json.loads(child_line("worker", 'a task\'s "own" words\n'))
    assert (printed["event"], printed["message"]) == ("child.output", 'a task\'s "own" words')
    assert json.loads(child_line("worker", '{"time": 1}'))["message"] == '{"time": 1}'
    assert json.loads(child_line("worker", "5"))["process"] == "worker"


FORKING = """
import logging, os, sys, threading, time
from taskcfg.logs import finish_lines_before_forks

class Slow:
    def __init__(self):
        self.lock = threading.Lock()
    def write(self, text):
        with self.lock:
            writing.set()
            time.sleep(0.1)
    def flush(self):
        pass

finish_lines_before_forks()
writing = threading.Event()
logging.getLogger().addHandler(logging.StreamHandler(Slow()))
threading.Thread(target=logging.warning, args=["from a thread"]).start()
writing.wait()
child = os.fork()
logging.warning("from both")
if child == 0:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_that_is_forked_while_a_line_is_written_can_write_its_own() -> None:
    program = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=20)

    assert (program.stdout, program.stderr) == ("7\n", "")
