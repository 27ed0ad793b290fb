"""The least that a plan of a folder of task files takes, with the imports of the command.

`hash FOLDER`: read and hash every file. `plan FOLDER DATABASE`: read, parse in C, validate, hash each task,
and read what the database has. `apply FOLDER DATABASE`: the same, then COPY and merge all of it.
"""

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import click  # noqa: F401 the same imports as the command
import psycopg2
import sqlalchemy  # noqa: F401 the same
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

TABLE = """CREATE TABLE IF NOT EXISTS limit_task (
  name text PRIMARY KEY, spec text NOT NULL, digest text NOT NULL, queue text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now())"""
MERGE = """INSERT INTO limit_task AS t (name, spec, digest, queue) SELECT name, spec, digest, queue FROM fresh
  ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, digest = excluded.digest, queue = excluded.queue,
  updated_at = now() WHERE t.digest IS DISTINCT FROM excluded.digest"""

Row = tuple[str, str, str, str]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Schedule(Closed):
    cron: str = Field(pattern=r"^\S+ \S+ \S+ \S+ \S+$")
    timezone: str


class Retry(Closed):
    attempts: int = Field(ge=1)
    delay: str
    backoff: str


class Task(Closed):
    type: str
    description: str
    schedule: Schedule
    params: dict[str, Any]
    queue: str
    priority: int = Field(ge=0, le=9)
    expires: str
    retry: Retry
    labels: dict[str, str]
    owner: str


class File(Closed):
    tasks: dict[str, Task]


def contents(folder: str) -> Iterator[bytes]:
    for entry in os.scandir(folder):
        with open(entry.path, "rb") as file:
            yield file.read()


def rows(folder: str) -> list[Row]:
    validate = TypeAdapter(File).validator.validate_python
    found = []
    for content in contents(folder):
        document = yaml.load(content, Loader=yaml.CSafeLoader)
        validate(document)
        for name, task in document["tasks"].items():
            spec = json.dumps(task, sort_keys=True)
            found.append((name, spec, hashlib.sha256(spec.encode()).hexdigest(), task["queue"]))
    return found


def copy_and_merge(cursor: Any, wanted: list[Row]) -> None:
    text = io.StringIO("".join("\t".join(row).replace("\\", "\\\\") + "\n" for row in wanted))
    cursor.execute("CREATE TEMP TABLE fresh (LIKE limit_task INCLUDING DEFAULTS) ON COMMIT DROP")
    cursor.copy_from(text, "fresh", columns=("name", "spec", "digest", "queue"))
    cursor.execute(MERGE)


def main(what: str, folder: str, database: str = "") -> None:
    if what == "hash":
        print(len([hashlib.sha256(content).digest() for content in contents(folder)]))
        return
    wanted = rows(folder)
    connection = psycopg2.connect(database)
    with connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute("SELECT name, digest FROM limit_task")
        live = dict(cursor.fetchall())
        changed = [row for row in wanted if live.get(row[0]) != row[2]]
        if what == "apply":
            copy_and_merge(cursor, changed)
    print(len(changed))


main(*sys.argv[1:])
