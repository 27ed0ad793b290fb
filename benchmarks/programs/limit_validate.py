"""The least that validating a folder of task files takes: read, parse with libyaml, then pydantic."""

import os
import sys
from typing import Any

import click  # noqa: F401 the same imports as the command
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Schedule(Closed):
    cron: str = Field(pattern=r"^\S+ \S+ \S+ \S+ \S+$")


class Retry(Closed):
    attempts: int = Field(ge=1)
    delay: str
    backoff: str


class Task(Closed):
    type: str
    description: str
    schedule: Schedule
    params: dict[str, Any]
    timezone: str
    timeout: str
    retry: Retry
    expires: str
    overlap: str
    catch_up: str
    priority: int = Field(ge=0, le=9)
    queue: str


class File(Closed):
    tasks: dict[str, Task]


def main() -> None:
    validate = TypeAdapter(File).validator.validate_python
    count = 0
    for entry in os.scandir(sys.argv[1]):
        with open(entry.path, "rb") as file:
            document = yaml.load(file.read(), Loader=yaml.CSafeLoader)
        count += len(validate(document).tasks)
    print(count)


main()
