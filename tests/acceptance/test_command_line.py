"""The frame of every command: help, usage, errors, formats, exit codes, and what is imported."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.project import Project, command
from taskcfg_cli.main import ALIASES, COMMANDS, taskcfg

HEAVY = ("alembic", "apscheduler", "celery", "httpx", "kombu", "psycopg2", "sqlalchemy", "watchdog")
OFFLINE_TOO_HEAVY = HEAVY
HELP_TOO_HEAVY = (
    *HEAVY,
    "pydantic",
    "yaml",
    "taskcfg.settings",
    "taskcfg.spec",
    "logging",
    "importlib.metadata",
)


def imported_by(project: Project, *args: str) -> set[str]:
    """Return the modules that are loaded when the command ends."""
    program = (
        "import sys; from taskcfg_cli.main import main; code = main();"
        "print(*sys.modules, sep='\\n', file=open('modules', 'w')); sys.exit(code)"
    )
    subprocess.run(
        [sys.executable, "-c", program, *args], cwd=project.folder, check=True, capture_output=True
    )
    return set(project.read("modules").split())


def test_help_names_every_command_with_what_it_does(project: Project) -> None:
    help_text = " ".join(project.ok("--help").out.split())

    assert [name for name, words in COMMANDS.items() if f"{name} {words}" not in help_text] == []


@pytest.mark.parametrize("name", [*COMMANDS, *ALIASES])
def test_each_commands_own_help_begins_with_the_words_of_the_table(name: str) -> None:
    found = taskcfg.get_command(None, name)

    assert found is not None and found.help is not None
    assert found.help.splitlines()[0] == COMMANDS[ALIASES.get(name, name)]
    assert found.name == ALIASES.get(name, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(project: Project, name: str) -> None:
    assert f"Usage: taskcfg {name} " in project.ok(name, "--help").out


def test_help_imports_nothing_that_takes_time(project: Project) -> None:
    assert imported_by(project, "--help") & set(HELP_TOO_HEAVY) == set()


def test_import_taskcfg_imports_nothing_that_takes_time() -> None:
    program = "import sys, taskcfg; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(loaded.stdout.split()) & {*HEAVY, "pydantic", "click", "yaml"} == set()
    assert [name for name in loaded.stdout.split() if name.startswith("taskcfg.")] == []


def test_the_version_is_that_of_the_package(project: Project) -> None:
    from importlib.metadata import version

    assert project.ok("--version").out == f"taskcfg {version('taskcfg')}\n"


def test_without_a_command_the_help_is_shown_and_it_is_a_usage_error(project: Project) -> None:
    done = project.run()

    assert done.code == 64
    assert "Commands:" in done.err
    assert done.out == ""


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(project: Project) -> None:
    done = project.run("aply")

    assert done.code == 64
    assert "No such command 'aply'. Did you mean 'apply'?" in done.err


@pytest.mark.parametrize(
    "args",
    [
        ("plan", "--nonsense"),
        ("plan", "--format", "sarif"),
        ("validate", "--format", "xml"),
        ("show",),
        ("next", "--count", "many"),
        ("apply", "--lock-timeout", "soon"),
        ("--color", "purple", "plan"),
        ("scheduler", "--watch", "--git", "x"),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_64_and_say_where_the_help_is(project: Project, args: tuple[str, ...]) -> None:
    done = project.run(*args)

    assert done.code == 64, str(done)
    assert "--help" in done.err
    assert done.out == ""


@pytest.mark.parametrize("flag", [("--format", "json"), ("--format=json",), ("-o", "json"), ("-ojson",)])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_usage_error_is_json_where_json_was_asked_for(
    project: Project, flag: tuple[str, ...], place: str
) -> None:
    done = project.run(
        *(flag if place == "before" else ()), "plan", "--nonsense", *(flag if place == "after" else ())
    )

    assert done.code == 64
    assert done.json["errored"] is True
    assert done.json["error"]["code"] == "usage"
    assert "--nonsense" in done.json["error"]["message"]
    assert done.err == ""


def test_an_error_has_a_sentence_and_a_hint(project: Project) -> None:
    project.write("taskcfg.toml", 'databse_url = "x"')

    done = project.run("validate")

    assert done.code == 1
    assert done.err == (
        "error: taskcfg.toml: `databse_url` is not a setting\n    did you mean `database_url`?\n"
    )
    assert done.out == ""


def test_the_same_error_as_json_is_alone_on_stdout(project: Project) -> None:
    project.write("taskcfg.toml", 'databse_url = "x"')

    done = project.run("validate", "--format", "json")

    assert done.code == 1
    assert done.json == {
        "errored": True,
        "error": {
            "code": "invalid_settings",
            "message": "taskcfg.toml: `databse_url` is not a setting",
            "hint": "did you mean `database_url`?",
        },
    }
    assert done.err == ""


BROKEN = (
    "import sys, taskcfg_cli.main as m; import taskcfg.settings as s;"
    "s.load_settings = lambda flags: {}['gone']; sys.argv[0] = 'taskcfg'; sys.exit(m.main())"
)


def test_an_unexpected_exception_is_one_line_and_a_traceback_only_on_request(project: Project) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", BROKEN, *args],
            capture_output=True,
            text=True,
            cwd=project.folder,
            check=False,
        )

    plain, debug, as_json = run("plan"), run("--log-level", "debug", "plan"), run("plan", "-o", "json")

    assert (plain.returncode, plain.stdout) == (1, "")
    assert plain.stderr == (
        "internal error: KeyError: 'gone'; run with --log-level debug for the traceback, please report\n"
    )
    assert "Traceback" in debug.stderr and debug.returncode == 1
    assert json.loads(as_json.stdout)["error"]["code"] == "internal_error"
    assert as_json.stderr == ""


def test_a_reader_that_goes_away_is_no_reason_to_complain(project: Project) -> None:
    params = "{target: execution_history, older_than: 1d}"
    project.write(
        "tasks.yaml", f"tasks:\n  a: {{type: cleanup, schedule: {{every: 1s}}, params: {params}}}\n"
    )
    long = f"{command()} next -f tasks.yaml --count 20000"  # more than a pipe holds

    shell = subprocess.run(
        ["/bin/sh", "-c", f"{long} | head -1; {long} -o json | head -c 1; {command()} --help | true"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert shell.stdout.split() == ["FIRE", "TASK", "{"]
    assert shell.stderr == ""


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_reason_to_fail(project: Project, closing: str) -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{command()} init {closing}"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (shell.returncode, shell.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_one_clear_line(project: Project) -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{command()} --help > /dev/full"], capture_output=True, text=True, check=False
    )

    assert (shell.returncode, shell.stderr) == (1, "error: No space left on device\n    free some space\n")


def test_an_interrupt_is_exit_130_without_a_traceback(project: Project) -> None:
    reading = subprocess.Popen(
        [command(), "validate", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project.folder,
    )
    assert reading.stdin is not None
    with reading:
        reading.stdin.write("tasks:\n" + "  # much\n" * 20_000)  # more than a pipe holds: it is reading
        reading.stdin.flush()
        reading.send_signal(signal.SIGINT)
        _, err = reading.communicate()

    assert reading.returncode == 130
    assert "Traceback" not in err


def test_colour_is_for_terminals_unless_asked_for(project: Project) -> None:
    def stderr(*args: str, **env: str) -> str:
        return project.run(*args, "validate", "nowhere", env=env).err

    assert "\x1b[" not in stderr()
    assert "\x1b[" in stderr("--color", "always")
    assert "\x1b[" in stderr("--color", "always", NO_COLOR="1")
    assert "\x1b[" not in stderr("--color", "never")
