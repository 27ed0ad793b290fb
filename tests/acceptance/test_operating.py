"""What docs/operating.md shows on a console is what happens; its other blocks are read."""

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

from acceptance.project import Project, command
from pages import blocks, commands, examples, pattern, read
from taskcfg import Taskcfg
from taskcfg.source.loader import load_text
from taskcfg.store.history import Wanted
from taskcfg.types.registry import Registry

PAGE = read("operating.md")
TASK = "tasks: {ping: {type: http, schedule: {every: 5m}, params: {url: 'https://example.org/'}}}"


def test_the_console_examples_do_what_they_show(project: Project) -> None:
    project.write("tasks.d/ping.yaml", TASK)
    path = {"PATH": f"{Path(command()).parent}:/usr/bin:/bin"}

    for line, shown in examples(PAGE):
        shell = project.start("-c", line, program="/bin/sh", env=path)
        shell.process.wait(60)
        assert re.fullmatch(pattern(shown), shell.out, re.DOTALL), str(shell)


def test_the_python_example_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.d").mkdir()
    (tmp_path / "tasks.d" / "ping.yaml").write_text(TASK)
    with Taskcfg() as project:
        project.upgrade_schema()
        project.apply()
        (code,) = blocks(PAGE, "python")

        exec(code, {})
        exec(code, {})
        events = project.events(Wanted()).rows

    assert capsys.readouterr().out == "ping paused None\n" * 2
    assert [event.kind for event in events] == ["manual"]


def shown_lines() -> list[str]:
    lines = [line.partition(" #")[0] for block in blocks(PAGE, "sh") for line in block.splitlines()]
    lines += [line.removeprefix("ExecStart=") for block in blocks(PAGE, "ini") for line in block.splitlines()]
    lines += re.findall(r"`(taskcfg [^`\n]+)`", PAGE)
    return [
        found[0] for line in lines if (found := re.search(r"taskcfg (?!scheduler$)[a-z].*", line.strip()))
    ]


@pytest.mark.parametrize("line", sorted({line.replace("/taskcfg ", " ") for line in shown_lines()}))
def test_every_command_line_shown_can_be_understood(line: str) -> None:
    words = shlex.split(line[line.index("taskcfg ") :])[1:]
    known = dict(commands())
    name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
    arguments = words[len(name.split()) :]
    if not arguments:
        return

    try:
        known[name].make_context(name, [*arguments], resilient_parsing=False).close()
    except click.MissingParameter:
        assert "--" not in line


def test_the_units_say_what_systemd_needs() -> None:
    for block in blocks(PAGE, "ini"):
        unit = configparser.ConfigParser()
        unit.read_string(block)

        assert unit["Service"]["ExecStart"].split("/")[-1].split()[0] == "taskcfg"
        assert int(unit["Service"]["TimeoutStopSec"].removesuffix("min")) >= 30


def test_the_task_shown_has_no_problem() -> None:
    found = [load_text(block, Registry()) for block in blocks(PAGE, "yaml")]

    assert [problem.text() for each in found for problem in each.problems] == []
