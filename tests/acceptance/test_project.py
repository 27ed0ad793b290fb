"""The harness of the acceptance tests keeps its promises: here `taskcfg` is a shell."""

import signal
from pathlib import Path

import pytest

from acceptance.project import Project
from waiting import eventually


@pytest.fixture
def shell(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("TASKCFG_TEST_COMMAND", "/bin/sh")
    monkeypatch.setenv("TASKCFG_ENV", "of-the-developer")
    return project


def test_a_command_sees_a_clean_environment_and_its_own_variables(shell: Project) -> None:
    done = shell.run("-c", 'echo "$TASKCFG_ENV|$MINE"; cat', env={"MINE": "yes"}, input="given")

    assert (done.code, done.out) == (0, "|yes\ngiven")


def test_a_traceback_fails_the_test(shell: Project) -> None:
    with pytest.raises(AssertionError, match="Traceback"):
        shell.run("-c", "echo 'Traceback (most recent call last):' >&2")


def test_a_background_command_is_waited_for_and_stopped(shell: Project) -> None:
    background = shell.start("-c", "trap 'echo bye; exit 130' INT; echo ready; while :; do sleep 0.1; done")

    background.wait_for("ready")
    done = background.stop(signal.SIGINT)

    assert (done.code, done.out) == (130, "ready\nbye\n")


def test_waiting_for_a_command_that_ended_fails_at_once(shell: Project) -> None:
    background = shell.start("-c", "echo no such thing >&2; exit 3")

    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        background.wait_for("ready")


def test_a_process_that_outlives_its_command_is_found(shell: Project, tmp_path: Path) -> None:
    background = shell.start("-c", "setsid sleep 600 & exit 0")
    eventually(lambda: not background.running)

    (orphan,) = eventually(lambda: [found for found in shell.processes() if found.name() == "sleep"])

    orphan.kill()
