"""A secret's value is found nowhere but in the task: every byte that is left behind is searched."""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import NullPool, Row, Select, create_engine, select

from acceptance.project import Background, Project
from taskcfg.store.tables import metadata, schedule_event, task_config, task_execution
from waiting import eventually

TOKEN = "t0k3n/é+\"q'u%o&te"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhk+/iG9w0B\n-----END KEY-----"

TYPES = '''
import logging
import os
import sys
from pathlib import Path

from celery import shared_task

from taskcfg import Fire, Params, task_type

logging.getLogger("httpx").setLevel(logging.INFO)


class Kept(Params):
    token: str
    key: str = ""
    fail: bool = False


def keep(*values):
    with Path(os.environ["KEPT"]).open("a") as file:
        file.write("\\n".join(values) + "\\n")


@task_type("keeper")
def keeper(params: Kept, fire: Fire) -> dict[str, object]:
    """Use a secret, and be careless with it."""
    keep(params.token, params.key)
    print("printed", params.token, params.key)
    print(repr(params), file=sys.stderr)
    fire.logger.info("logged %s", params.token)
    try:
        raise LookupError(params.key)
    except LookupError as error:
        logging.getLogger("anybody").exception("failed with %r", params)
        if params.fail:
            raise ValueError(f"refused {params}") from error
    return {"params": repr(params), "token": params.token, params.key: [params.key]}


@shared_task(name="theirs.flaky", bind=True, max_retries=5)
def flaky(self, token, key=None):
    keep(token, key)
    if self.request.retries < 1:
        raise self.retry(exc=OSError(f"busy with {token}"), countdown=0.1)
    return [token, key]
'''
TASKS = """\
tasks:
  returns:
    type: keeper
    schedule: manual
    params: {{token: "${{secret:TOKEN}}", key: "${{secret:KEY}}"}}
  raises:
    type: keeper
    schedule: manual
    retry: {{attempts: 2, delay: 0s}}
    params: {{token: "a ${{secret:TOKEN}}", key: "${{secret:KEY}}", fail: true}}
  nowhere:
    type: keeper
    schedule: manual
    params: {{token: "${{secret:NOWHERE}}", key: "${{secret:KEY}}"}}
  asks:
    type: http
    schedule: manual
    params:
      url: "{url}/hook"
      method: POST
      query: {{token: "${{secret:TOKEN}}"}}
      headers: {{X-Key: "Bearer ${{secret:HEADER}}"}}
      json: {{token: "${{secret:TOKEN}}"}}
  theirs:
    type: celery
    schedule: manual
    params: {{task: theirs.flaky, args: ["${{secret:TOKEN}}"], kwargs: {{key: "${{secret:KEY}}"}}}}
"""
ATTEMPTS = (
    select(task_config.c.name, task_execution.c.state)
    .join(task_execution, task_execution.c.task_config_id == task_config.c.id)
    .order_by(task_execution.c.attempt)
)
LOOKS = (
    ["validate", "-o", "json"],
    ["plan", "-o", "json"],
    ["status"],
    ["show", "raises"],
    ["show", "theirs", "-o", "json"],
    ["events", "-o", "json"],
    ["history", "raises"],
    ["history", "-o", "json"],
)


class Echo(BaseHTTPRequestHandler):
    """Refuses, and says what it was asked."""

    asked: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = f"{self.path} {self.headers['X-Key']} {body}"
        type(self).asked.append(said)
        self.send_response(500)
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Echo.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("services", ["project", "production"])
def test_a_secret_s_value_is_found_nowhere_but_in_the_task(
    services: str, request: pytest.FixtureRequest, tmp_path: Path, url: str
) -> None:
    project: Project = request.getfixturevalue(services)
    kept = prepare(project, tmp_path, url)
    said = [project.ok("plan"), project.ok("apply", "--yes", "-o", "json")]
    scheduler, worker = start(project, kept)
    said.append(project.ok("run", "returns", "raises", "nowhere", "asks", "theirs"))

    ends = eventually(lambda: ended(project), message=lambda: str(worker))
    said += [project.ok(*words) for words in (LOOKS if services == "project" else [])]
    said += [scheduler.stop(), worker.stop()]

    assert ends == {
        "returns": ["succeeded"],
        "raises": ["retrying", "failed"],
        "nowhere": ["failed"],
        "asks": ["failed"],
        "theirs": ["retrying", "succeeded"],
    }
    assert kept.read_text().count(TOKEN) == kept.read_text().count(KEY) == 5
    assert [quote(TOKEN, safe="") in asked for asked in Echo.asked] == [True]
    assert "printed ***" in worker.out
    assert "logged ***" in worker.err
    assert f"HTTP Request: POST {url}/hook?token=*** " in worker.err
    assert "secret `NOWHERE`: it is not in the folder" in dump(project)
    assert "${secret:TOKEN}" in dump(project)
    places = {f"{one.args}": one.out + one.err for one in said} | {"database": dump(project)} | files(project)
    assert [(place, form) for place, text in places.items() for form in forms() if form in text] == []


def prepare(project: Project, tmp_path: Path, url: str) -> Path:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "KEY").write_text(KEY + "\n")
    project.write("taskcfg.toml", f'types = ["keepers"]\nsecrets_dir = "{secrets}"\n')
    project.write("keepers.py", TYPES)
    project.write("tasks.d/tasks.yaml", TASKS.format(url=url))
    project.ok("db", "upgrade")
    return tmp_path / "kept"


def start(project: Project, kept: Path) -> tuple[Background, Background]:
    """Only the worker knows the secrets."""
    scheduler = project.start("scheduler")
    known = {"TOKEN": TOKEN, "HEADER": KEY.splitlines()[1], "KEPT": str(kept)}
    worker = project.start("worker", env=known, traceback_ok=True)
    for process in (scheduler, worker):
        process.wait_for("started" if process is scheduler else "ready")
    return scheduler, worker


def ended(project: Project) -> dict[str, list[str]] | None:
    """The states of each task's attempts, once no fire is under way."""
    events = rows(project, select(schedule_event.c.state))
    if not events or {state for (state,) in events} != {"done"}:
        return None
    states: dict[str, list[str]] = {}
    for name, state in rows(project, ATTEMPTS):
        states.setdefault(name, []).append(state)
    return states


def dump(project: Project) -> str:
    """Every column of every row of every table."""
    every = [row for table in metadata.sorted_tables for row in rows(project, select(table))]
    return "\n".join(f"{value}" for row in every for value in row)


def rows(project: Project, query: Select[Any]) -> Sequence[Row[Any]]:
    embedded = f"sqlite:///{project.folder / '.taskcfg' / 'taskcfg.db'}"
    database = create_engine(project.env.get("TASKCFG_DATABASE_URL", embedded), poolclass=NullPool)
    with database.connect() as connection:
        return connection.execute(query).all()


def files(project: Project) -> dict[str, str]:
    """Every file of the project's folder: also the embedded database and broker, whose bytes are searched."""
    return {
        str(path): path.read_bytes().decode(errors="replace")
        for path in project.folder.rglob("*")
        if path.is_file()
    }


def forms() -> set[str]:
    encoded = {base64.b64encode(value.encode()).decode().rstrip("=")[:-1] for value in (TOKEN, KEY)}
    shown = {form for value in (TOKEN, KEY) for form in (value, repr(value)[1:-1], json.dumps(value)[1:-1])}
    return encoded | shown | {quote(TOKEN, safe=""), quote(TOKEN), KEY.splitlines()[1], "t0k3n", "MIIEvQ"}
