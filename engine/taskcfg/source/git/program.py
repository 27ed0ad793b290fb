"""The program `git`, run on one bare repository: never asking, never running hooks, never for ever."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from taskcfg.source.git.address import Address

QUICK = 60.0
"""Seconds for what needs no network, or one question to the host."""

SLOW = 900.0
"""Seconds for all that is to be fetched."""

_OPTIONS = {
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "fetch.writeCommitGraph": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "30",
    "submodule.recurse": "false",
}
_ELSEWHERE = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX"
    r"|QUARANTINE_PATH|SHALLOW_FILE|CONFIG|CONFIG_PARAMETERS|CURL_VERBOSE|TRACE.*)"
)
"""Variables that lead to another repository, or have git write down what it says to the host."""

_NOT_SAID_TWICE = re.compile(r" after \d+ ms")
_NO_REASON = (
    "hint:",
    "warning:",
    "Could not read from remote repository",
    "Please make sure you have the correct access",
    "and the repository exists",
)
_LONGEST = 300


class GitFailed(Exception):
    """git ended with an error, or not in time; the text is what it said, in one line, without secrets."""


class Git:
    """Runs git on the bare repository *folder*. From any thread `stop` ends what runs, for good."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder = folder
        self._address = address
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self.kept_open: tuple[int, ...] = ()

    def run(
        self,
        *arguments: str,
        patience: float = QUICK,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        stdout: IO[bytes] | int = subprocess.PIPE,
        anywhere: bool = False,
    ) -> bytes:
        """Return what git wrote to its output. What runs *anywhere* needs no repository, whole or damaged.

        Raises GitFailed.
        """
        folder = Path(os.devnull) if anywhere else self.folder
        process = self._started([*_program(folder), *arguments], stdin, stdout)
        try:
            out, said = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            process.communicate()
            raise GitFailed(f"no answer within {patience:.0f} s") from error
        finally:
            with self._lock:
                self._running = None
        if process.returncode != 0:
            raise GitFailed(self._told(said) or f"git ended with {process.returncode}")
        return out or b""

    def stop(self) -> None:
        """End what runs, and run nothing any more."""
        with self._lock:
            self._stopped = True
            running = self._running
        if running is not None:
            _kill(running)

    def _started(
        self, command: Sequence[str], stdin: IO[bytes] | int, stdout: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise GitFailed("stopped")
            try:
                self._running = subprocess.Popen(
                    command,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    env=_environment(self._address),
                    pass_fds=self.kept_open,
                    start_new_session=True,  # no terminal to ask at, and a group to end as a whole
                )
            except OSError as error:
                raise GitFailed(f"the program `git` cannot be run: {error.strerror}") from error
            return self._running

    def _told(self, said: bytes | None) -> str:
        lines = [line.strip() for line in (said or b"").decode("utf-8", "replace").splitlines()]
        lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in lines]
        wanted = [line for line in lines if line and not line.startswith(_NO_REASON)]
        text = _NOT_SAID_TWICE.sub("", "; ".join(wanted)).replace(str(self.folder), ".")
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # also those that talk to the host for it


def _program(folder: Path) -> list[str]:
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    return ["git", f"--git-dir={folder}", *options]


def _environment(address: Address) -> dict[str, str]:
    """Return the environment for git: settings that hold who we are are nowhere but there."""
    env = {name: value for name, value in os.environ.items() if not _ELSEWHERE.fullmatch(name)}
    env |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
    if address.authorization is not None:
        number = int(env["GIT_CONFIG_COUNT"]) if env.get("GIT_CONFIG_COUNT", "").isdigit() else 0
        env |= {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"http.{address.url}.extraHeader",
            f"GIT_CONFIG_VALUE_{number}": address.authorization,
        }
    return env
