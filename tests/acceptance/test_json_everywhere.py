"""With `--format json`, stdout holds one JSON document and nothing else, whatever happens."""

import signal
from typing import Any

import click
import pytest

from acceptance.project import Finished, Project
from taskcfg_cli.main import COMMANDS, taskcfg

TASKS = """\
tasks:
  nightly:
    type: cleanup
    description: "a\\u202etrick"
    schedule: {every: 1h}
    params: {target: execution_history, older_than: 30d}
"""

ANSWERS: list[tuple[list[str], int, set[str]]] = [
    (["init", "new"], 0, {"created", "kept"}),
    (["validate"], 0, {"valid", "problems"}),
    (["db", "upgrade"], 0, {"before", "version"}),
    (["db", "current"], 0, {"version"}),
    (["db", "check"], 0, {"version"}),
    (["plan"], 0, {"resource_changes", "errored"}),
    (["plan", "--detailed-exitcode"], 2, {"resource_changes", "errored"}),
    (["apply"], 6, {"errored", "error"}),
    (["apply", "--dry-run"], 0, {"applied", "summary"}),
    (["apply", "--yes"], 0, {"applied", "revision"}),
    (["snapshot"], 0, {"format_version", "tasks"}),
    (["status"], 0, {"sources", "tasks"}),
    (["list"], 0, {"tasks"}),
    (["list", "no*"], 0, {"tasks"}),
    (["show", "nightly"], 0, {"name", "spec"}),
    (["explain", "nightly"], 0, set()),
    (["next", "--count", "1"], 0, {"from", "to", "fires"}),
    (["heatmap"], 0, {"from", "weekdays", "busiest", "queues"}),
    (["run", "nightly"], 0, {"fires"}),
    (["run", "nightly", "--wait", "--timeout", "0s"], 1, {"fires"}),
    (["pause", "nightly", "--reason", "INC-1\u202e"], 0, {"tasks"}),
    (["resume", "nightly"], 0, {"tasks"}),
    (["resume", "nightly"], 0, {"tasks"}),
    (["history"], 0, {"executions", "next_cursor"}),
    (["events", "--limit", "1"], 0, {"events", "next_cursor"}),
    (["purge", "--older-than", "30d", "--yes"], 0, set()),
    (["logs", "00000000"], 1, {"errored", "error"}),
    (["cancel", "00000000"], 1, {"errored", "error"}),
    (["retry", "00000000"], 1, {"errored", "error"}),
    (["doctor"], 1, {"healthy", "checks"}),
    (["show", "nobody"], 1, {"errored", "error"}),
    (["events", "--cursor", "x"], 1, {"errored", "error"}),
    (["run", "nightly", "--params", '{"nobody": 1}'], 1, {"errored", "error"}),
    (["pause", "nightly"], 64, {"errored", "error"}),
    (["nobody"], 64, {"errored", "error"}),
]


def answer(finished: Finished) -> Any:
    """Return the one document, or fail with what was said."""
    try:
        document = finished.json
    except ValueError:
        pytest.fail(str(finished), pytrace=False)
    assert isinstance(document, dict), str(finished)
    assert not document.get("errored") or set(document) == {"errored", "error"}, str(finished)
    return document


def test_every_command_answers_with_one_document_and_its_exit_code(project: Project) -> None:
    project.write("tasks.d/tasks.yaml", TASKS)

    for number, (words, code, keys) in enumerate(ANSWERS):
        # Before the command's name it means the same as after it.
        finished = project.run("-o", "json", *words) if number % 2 else project.run(*words, "--format=json")

        document = answer(finished)
        assert finished.code == code, str(finished)
        assert keys <= set(document), str(finished)
        assert "\u202e" not in finished.out + finished.err, str(finished)


def speaking() -> list[str]:
    """Return the words of every command that takes `--format`."""
    words = []
    for name in COMMANDS:
        command = taskcfg.get_command(click.Context(taskcfg), name)
        assert command is not None
        commands = {"": command} if not isinstance(command, click.Group) else command.commands
        for sub, found in commands.items():
            if any("--format" in parameter.opts for parameter in found.params):
                words.append(f"{name} {sub}".strip())
    return words


def test_a_usage_error_of_any_command_is_a_document(project: Project) -> None:
    for words in speaking():
        finished = project.run(*words.split(), "--nonsense", "-o", "json")

        assert (finished.code, answer(finished)["error"]["code"]) == (64, "usage"), str(finished)


def test_what_is_wrong_before_a_command_begins_is_a_document(project: Project) -> None:
    before = [["list"], ["plan"], ["show", "x"], ["run", "x"], ["pause", "x", "--reason", "y"], ["status"]]
    errors = {"schema_mismatch", "unreadable_source"}

    for words in before:
        assert answer(project.run(*words, "-o", "json"))["error"]["code"] in errors, words
    project.write("taskcfg.toml", "nonsense = 1\n")
    for words in before:
        finished = project.run(*words, "-o", "json")
        assert (finished.code, answer(finished)["error"]["code"]) == (1, "invalid_settings")


def test_an_interrupted_command_says_so_in_its_document(project: Project) -> None:
    project.write("tasks.d/tasks.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    waiting = project.start("run", "nightly", "--wait", "-o", "json")
    waiting.wait_for("No worker of taskcfg is alive")

    finished = waiting.stop(signal.SIGINT)

    assert (finished.code, answer(finished)["error"]["code"]) == (130, "interrupted")
