"""A `taskcfg worker` in its own process, with types of its own, and the fires it is given to run."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from sqlalchemy import Engine

from services import children
from stored import World
from taskcfg.celery import make_app
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.fires import Outgoing
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import Every
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import Registry
from waiting import eventually

TYPES = '''
import logging
import os
import sys
import time
from pathlib import Path

from celery import shared_task

from taskcfg import Fire, Params, task_type


class Step(Params):
    file: str
    seconds: float = 0.0
    how: str = "well"


@task_type("step")
def step(params: Step, fire: Fire) -> dict[str, object]:
    """Note when it begins and when it ends."""
    journal = Path(params.file)
    write(journal, f"begin {fire.task} {fire.attempt} {os.getpid()}")
    time.sleep(params.seconds)
    if params.how == "badly" or (params.how == "badly at first" and fire.attempt == 1):
        raise ValueError("it went badly")
    if params.how == "exit":
        sys.exit(3)
    write(journal, f"end {fire.task} {fire.attempt} {os.getpid()}")
    return {"attempt": fire.attempt}


@task_type("stubborn")
def stubborn(params: Step, fire: Fire) -> None:
    """Take no notice of a soft limit."""
    write(Path(params.file), f"begin {fire.task} {fire.attempt} {os.getpid()}")
    while True:
        try:
            time.sleep(60)
        except BaseException as error:
            if isinstance(error, SystemExit):
                raise


@shared_task(name="theirs.flaky", bind=True, max_retries=5)
def flaky(self, file, fails):
    write(Path(file), f"try {self.request.retries}")
    if self.request.retries < fails:
        raise self.retry(exc=OSError("busy"), countdown=0.1)
    return "at last"


def write(journal: Path, line: str) -> None:
    with journal.open("a") as file:
        file.write(line + "\\n")
'''

THEIR_APP = """
from celery import Celery, Task

import taskcfg.celery

app = Celery("theirs", broker="{broker_url}")
taskcfg.celery.install(app)


@app.task(name="theirs.add")
def add(first, second):
    return first + second


class Classy(Task):
    name = "theirs.classy"

    def __call__(self, *args):
        return {"called": super().__call__(*args)}

    def run(self, *args):
        return list(args)


app.register_task(Classy())
"""

RUN = """
import logging, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
from taskcfg.celery import run_worker
from taskcfg.settings import load_settings
import json
arguments = json.loads(sys.argv[1])
sys.exit(run_worker(load_settings(), **arguments))
"""


class Project:
    """A folder with types, a database and a broker; workers are started in it and end with it."""

    def __init__(self, folder: Path, database: Engine, database_url: str, broker_url: str) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.world = World(database)
        self.settings = {"database_url": database_url, "broker_url": broker_url, "types": ["workertypes"]}
        self.dispatcher = CeleryDispatcher(make_app(self.read_settings(), Registry()))
        self._workers: list[subprocess.Popen[bytes]] = []
        (folder / "workertypes.py").write_text(TYPES)
        self.configure()

    def read_settings(self, **changes: Any) -> Settings:
        flags = {**self.settings, **changes}
        return load_settings(flags, environ={}, folder=self.folder)

    def configure(self, **changes: Any) -> None:
        """Write `taskcfg.toml`; a worker reads it when it starts."""
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in {**self.settings, **changes}.items()]
        (self.folder / "taskcfg.toml").write_text("".join(lines))

    def start_worker(
        self, *, env: dict[str, str] | None = None, ready: bool = True, **arguments: Any
    ) -> subprocess.Popen[bytes]:
        """Start a worker; with *ready* wait until its row is there."""
        return self._start(
            [sys.executable, "-c", RUN, json.dumps({"concurrency": 1, **arguments})], env, ready
        )

    def start_their_worker(
        self,
        *words: str,
        text: str = THEIR_APP,
        module: str = "theirs",
        env: dict[str, str] | None = None,
        ready: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start `celery worker` with *words* for a user's own app, whose module has this *text*."""
        (self.folder / f"{module}.py").write_text(text.replace("{broker_url}", self.settings["broker_url"]))
        celery = str(Path(sys.executable).with_name("celery"))
        command = [celery, "-A", module, "worker", "-l", "info", *(words or ("-c", "1"))]
        return self._start(command, env, ready)

    def send(self, name: str, *args: Any, **options: Any) -> None:
        """Send a message of the user's own, which is none of ours."""
        app = Celery("client", broker=self.settings["broker_url"], set_as_current=False)
        with app.connection_for_write() as connection:
            app.send_task(name, args, connection=connection, **options)

    def _start(self, command: list[str], env: dict[str, str] | None, ready: bool) -> subprocess.Popen[bytes]:
        known = len(self.boots()) if ready else 0
        process = children.start(
            command, log=self.folder / "worker.log", cwd=self.folder, env={**os.environ, **(env or {})}
        )
        self._workers.append(process)
        if ready:
            eventually(lambda: len(self.boots()) > known, message=lambda: f"no worker:\n{self.log}")
        return process

    def boots(self) -> list[Any]:
        from taskcfg.store import nodes
        from taskcfg.store.database import reading

        with reading(self.world.database) as connection:
            return nodes.known_nodes(connection, nodes.WORKER)

    def fire(self, type_name: str = "step", *, policy: Policy | None = None, **params: Any) -> Outgoing:
        """Record one fire of a new task, owned by our own node, and return it unpublished."""
        shared = {"queue": params.pop("queue", None), "priority": params.pop("priority", 5)}
        if type_name != "celery":
            params = {"file": str(self.journal), "seconds": 0.0, "how": "well", **params}
        spec = TaskSpec(
            name=f"task-{uuid.uuid4().hex[:8]}",
            type=type_name,
            schedule=Every(timedelta(days=1)),
            params=params,
            policy=policy or Policy(),
            **shared,
        )
        self.world.add(spec)
        [fire] = self.world.let_fire(spec.name)
        return fire

    def publish(self, *fires: Outgoing) -> None:
        """Send *fires* and record the receipts, as the relay does."""
        receipts = self.dispatcher.send(fires)
        self.world.outbox.record(list(zip(fires, receipts, strict=True)))

    def relay(self) -> None:
        """Publish whatever is due in the outbox."""
        self.publish(*self.world.outbox.claim(100, held=()))

    def states(self, fire: Outgoing) -> list[str]:
        """The states of *fire*'s attempts, in order."""
        return [row.state for row in self.world.executions() if row.schedule_event_id == fire.event_id]

    def executions(self, fire: Outgoing) -> list[Any]:
        return [row for row in self.world.executions() if row.schedule_event_id == fire.event_id]

    def until(self, fire: Outgoing, states: Sequence[str], *, relaying: bool = False) -> list[Any]:
        """Wait until the attempts of *fire* are in *states*; return their rows."""

        def reached() -> bool:
            if relaying:
                self.relay()
            return self.states(fire) == list(states)

        eventually(reached, message=lambda: f"{self.states(fire)} is not {states}:\n{self.log}")
        return self.executions(fire)

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def until_line(self, condition: Callable[[str], bool]) -> str:
        """Wait for a line of the journal."""
        found: list[str] = eventually(
            lambda: [line for line in self.lines() if condition(line)],
            message=lambda: f"no line:\n{self.log}",
        )
        return found[0]

    def running_pid(self) -> int:
        """Wait until a body runs; return the id of its pool process."""
        return int(self.until_line(lambda line: line.startswith("begin")).split()[-1])

    @property
    def log(self) -> str:
        path = self.folder / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        self.dispatcher.close()
        for process in self._workers:
            for child in (
                psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ()
            ):
                child.kill()
            process.kill()
            process.wait()
