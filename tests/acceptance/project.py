"""A user's project folder, and the installed command run in it as a user runs it."""

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.children import tied
from waiting import eventually

MARK = "TASKCFG_TEST_PROJECT"
KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
TRACEBACK = "Traceback (most recent call last)"


def command() -> str:
    """Return the path of the command under test: the built wheel's, else the one beside this Python."""
    if given := os.environ.get("TASKCFG_TEST_COMMAND"):
        return given
    beside = Path(sys.executable).with_name("taskcfg")
    found = str(beside) if beside.exists() else shutil.which("taskcfg")
    if not found:
        pytest.fail("no `taskcfg` to test: install the project or set TASKCFG_TEST_COMMAND", pytrace=False)
    return found


@dataclass(frozen=True)
class Finished:
    """What a command said and how it ended."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"taskcfg {' '.join(self.args)} → {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Background:
    """A command that keeps running. Its output goes to files, so nothing it says can block it."""

    def __init__(self, words: list[str], folder: Path, env: Mapping[str, str], output: Path) -> None:
        self.args = tuple(words[1:])
        self._out = output.with_suffix(".out")
        self._err = output.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                tied(words),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_for(
        self, what: str | Callable[[], Any], *, timeout: float = 60.0, interval: float = 0.05
    ) -> Any:
        """Wait until it has said the text *what*, or until *what*() is true; returns that answer.

        Fails at once, with all it said, when the command ends before.
        """

        def happened() -> Any:
            running = self.running  # asked first: its last words count
            answer = what in self.out + self.err if isinstance(what, str) else what()
            if not answer and not running:
                pytest.fail(f"it ended while waiting for {what!r}\n{self}", pytrace=False)
            return answer

        return eventually(
            happened,
            timeout=timeout,
            interval=interval,
            message=lambda: f"still waiting for {what!r}\n{self}",
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Press ^C: a terminal sends SIGINT to the command and to all it started in the foreground."""
        os.killpg(self.pid, signal.SIGINT)

    def stop(self, number: signal.Signals = signal.SIGINT, *, timeout: float = 30.0) -> Finished:
        """Send *number*, wait for the end, and return how it ended."""
        if self.running:
            self.send(number)
        return self.end(number.name, timeout)

    def end(self, cause: str, timeout: float = 30.0) -> Finished:
        """Wait for the end that *cause* should bring, and return how it ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"{cause} did not end it within {timeout:g} s\n{self}", pytrace=False)
        return Finished(self.args, code, self.out, self.err)

    def kill(self) -> None:
        """`kill -9` this process, not its children, and wait for its end."""
        self.process.kill()
        self.process.wait()

    def __str__(self) -> str:
        code = self.process.poll()
        state = "running" if code is None else f"→ {code}"
        return f"{self.args} {state}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Project:
    """A folder of a user's own, with nothing in it, and the command to run there.

    Commands see a clean environment: no `TASKCFG_*` but what is in `env`, a home
    folder of their own, UTF-8, wide lines. A traceback on stderr fails the test.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}
        self._home = home
        self._started: list[Background] = []
        self._numbers = itertools.count()
        self._tolerant: set[int] = set()

    def write(self, path: str, text: str) -> Path:
        """Write a file, and the folders above it, replacing it in one step as editors do."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
        return target

    def read(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def run(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        timeout: float = 120.0,
        cwd: str = ".",
    ) -> Finished:
        """Run `taskcfg *args*` to its end, with *input* (default: nothing) on stdin."""
        done = subprocess.run(
            [command(), *args],
            input=input or "",
            capture_output=True,
            encoding="utf-8",
            cwd=self.folder / cwd,
            env=self._environment(env),
            timeout=timeout,
            check=False,
        )
        finished = Finished(args, done.returncode, done.stdout, done.stderr)
        assert TRACEBACK not in finished.err, str(finished)
        return finished

    def sql(self, statement: str) -> None:
        """Change the embedded database as somebody with a SQL prompt does."""
        with closing(sqlite3.connect(self.folder / ".taskcfg/taskcfg.db")) as database, database:
            database.execute(statement)

    def ok(self, *args: str, **options: Any) -> Finished:
        """Run it, and fail unless it exits 0."""
        finished = self.run(*args, **options)
        assert finished.code == 0, str(finished)
        return finished

    def start(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        traceback_ok: bool = False,
        program: str | None = None,
    ) -> Background:
        """Start `taskcfg *args*` (or another *program*) in the background; stopped when the test ends.

        *traceback_ok* is for workers whose task is meant to fail: Celery logs a traceback.
        """
        output = self._home / f"{next(self._numbers)}-{args[0] if args else 'taskcfg'}"
        background = Background([program or command(), *args], self.folder, self._environment(env), output)
        self._started.append(background)
        if traceback_ok:
            self._tolerant.add(background.pid)
        return background

    def processes(self) -> list[psutil.Process]:
        """Return every live process that this project's commands started, however far removed."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder) and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def close(self) -> None:
        """Stop what still runs; fail if a process outlives its command, or if a traceback was said."""
        started, self._started = self._started, []
        for background in started:
            if background.running:
                background.interrupt()
        for background in started:
            background.end("^C", 30.0)
        outlived = self._outlived()
        for process in outlived:
            process.kill()
        assert not outlived, f"left running: {outlived}"
        for background in started:
            assert background.pid in self._tolerant or TRACEBACK not in background.err, str(background)

    def _outlived(self, patience: float = 15.0) -> list[psutil.Process]:
        deadline = time.monotonic() + patience
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {"HOME": str(self._home), "LANG": "C.UTF-8", "COLUMNS": "200", MARK: str(self.folder)}
        return {**kept, **own, **self.env, **(extra or {})}


TASK = """\
  {name}:
    type: cleanup
    schedule: {{cron: "{cron}"}}
    params: {{target: execution_history, older_than: 30d}}
"""


def declare(project: Project, *names: str, cron: str = "0 2 * * *", file: str = "tasks.d/tasks.yaml") -> None:
    """Write a file that declares these tasks, all alike."""
    tasks = "".join(TASK.format(name=name, cron=cron) for name in names)
    project.write(file, f"tasks:\n{tasks}" if names else "tasks: {}\n")
