"""Completion in a shell: what is offered for the word being typed, and never an error in its place."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.project import Project, command

TASKS = """\
tasks:
  billing.daily:
    type: cleanup
    schedule: {every: 1h}
    params: {target: execution_history, older_than: 30d}
"""


def offered(project: Project, line: str, shell: str = "bash") -> list[str]:
    """Return what is offered for the last word of *line*."""
    words = line.split(" ")
    current = words[-1] if shell == "fish" else str(len(words) - 1)
    asked = {"COMP_WORDS": line, "COMP_CWORD": current, "_TASKCFG_COMPLETE": f"{shell}_complete"}
    done = project.ok(env=asked)
    assert done.err == ""
    lines = done.out.split("\n")
    if shell == "zsh":
        return lines[1::3]
    return [each.partition(",")[2].partition("\t")[0] for each in lines if each]


def test_commands_flags_and_states_are_offered(project: Project) -> None:
    assert offered(project, "taskcfg pa") == ["pause"]
    assert offered(project, "taskcfg db up") == ["upgrade"]
    assert "--state" in offered(project, "taskcfg list --st")
    assert offered(project, "taskcfg list --state a") == ["active", "all"]
    assert offered(project, "taskcfg list --type cl") == ["cleanup"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_come_from_the_files_until_a_database_knows_them(project: Project, shell: str) -> None:
    project.write("tasks.d/tasks.yaml", TASKS)
    before = offered(project, "taskcfg pause bil", shell)
    no_trace = not (project.folder / ".taskcfg").exists()
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.write("tasks.d/tasks.yaml", "nonsense: [")
    after = offered(project, "taskcfg show b", shell)

    assert (before, after, no_trace) == (["billing.daily"], ["billing.daily"], True)


def test_nothing_is_said_where_nothing_can_be_offered(project: Project) -> None:
    project.write("taskcfg.toml", "nonsense = 1\n")
    broken = offered(project, "taskcfg pause x")
    nonsense = project.run(env={"_TASKCFG_COMPLETE": "bash_complete"})
    unknown = project.run(env={"_TASKCFG_COMPLETE": "nobody_source"})

    assert broken == []
    assert (nonsense.out, nonsense.err) == (unknown.out, unknown.err) == ("", "")


def test_the_name_of_a_command_is_completed_without_loading_what_it_works_with(project: Project) -> None:
    asked = {"COMP_WORDS": "taskcfg pa", "COMP_CWORD": "1", "_TASKCFG_COMPLETE": "bash_complete"}
    code = (
        "import sys; from taskcfg_cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'sqlalchemy', 'celery', 'pydantic'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=asked,
        capture_output=True,
        text=True,
        cwd=project.folder,
        check=True,
    )

    assert done.stdout.splitlines() == ["plain,pause", "[]"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_a_name_by_the_script_it_is_given(project: Project) -> None:
    project.write("tasks.d/tasks.yaml", TASKS)
    script = (
        'eval "$(_TASKCFG_COMPLETE=bash_source taskcfg)"\n'
        "COMP_WORDS=(taskcfg show bil) COMP_CWORD=2\n"
        "_taskcfg_completion taskcfg\n"
        'echo "${COMPREPLY[*]}"; complete -p taskcfg'
    )
    path = f"{Path(command()).parent}:/usr/bin:/bin"

    done = subprocess.run(["bash", "--norc", "-c", script], env={"PATH": path, "HOME": str(project.folder)},
                          capture_output=True, text=True, cwd=project.folder, check=True)  # fmt: skip

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "billing.daily",
        "complete -o nosort -F _taskcfg_completion taskcfg",
    ]
