"""What README.md shows is what happens: its console examples, run in order, and its other blocks read."""

import re
from pathlib import Path

import pytest

from acceptance.project import Background, Project, command
from pages import ROOT, blocks, examples, pattern

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_console_examples_do_what_they_show(project: Project) -> None:
    path = {"PATH": f"{Path(command()).parent}:/usr/bin:/bin"}
    up: Background | None = None
    for line, shown in examples(README):
        if line == "taskcfg up":
            up = project.start("up")
            up.wait_for(lambda: project.run("show", "purge-history").code == 0)
            continue
        if line == "taskcfg db upgrade" and up is not None:
            up.stop()
        shell = project.start("-c", line, program="/bin/sh", env=path)
        shell.process.wait(60)
        assert re.fullmatch(pattern(shown), shell.out, re.DOTALL), str(shell)


def test_there_are_examples_of_the_commands_a_newcomer_meets() -> None:
    words = {word for line, _ in examples(README) for word in re.findall(r"taskcfg (\w+)", line)}

    assert words >= {"init", "validate", "up", "list", "run", "history", "db", "plan", "apply"}


def test_the_task_file_is_valid_in_a_project_with_the_type_shown(project: Project) -> None:
    (tasks,), (code,) = blocks(README, "yaml"), blocks(README, "python")
    own = '  weekly: {type: report, schedule: manual, params: {recipients: ["a@example.org"]}}\n'
    project.write("taskcfg.toml", 'types = ["reports"]')
    project.write("reports.py", code)
    project.write("tasks.d/tasks.yaml", tasks + own)

    assert project.ok("validate").out == "No problems: 3 tasks in 1 file\n"


@pytest.mark.parametrize("target", ["up", "test"])
def test_the_two_commands_exist(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert f"    make {target} " in README
