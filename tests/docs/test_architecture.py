"""docs/architecture.md is true of the rooms, the tables and the loops that there are."""

import re
import tomllib
from functools import cache
from typing import Any

from pages import ROOT, read, section, table, without_blocks
from taskcfg import failpoints
from taskcfg.store.tables import metadata
from taskcfg.types.registry import SHIPPED

ENGINE = ROOT / "engine" / "taskcfg"


@cache
def page() -> str:
    return read("architecture.md")


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def contract(name: str) -> Any:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return next(each for each in project["tool"]["importlinter"]["contracts"] if each["id"] == name)


def test_the_layers_are_those_that_the_import_contract_keeps() -> None:
    kept = [set(re.findall(r"\w+", layer)) for layer in contract("rooms")["layers"]]

    said = [words(row[1]) for row in table(page(), "layer", "rooms", "what they are for")]

    assert said == kept


def test_every_room_that_exists_is_named() -> None:
    files = {path.stem for path in ENGINE.glob("*.py")} - {"__init__"}
    folders = {path.name for path in ENGINE.iterdir() if (path / "__init__.py").exists()}

    rooms = {word for row in table(page(), "layer", "rooms", "what they are for") for word in words(row[1])}

    assert rooms == files | folders


def test_every_table_is_listed_and_no_other() -> None:
    said = {word for row in table(page(), "table", "one row is", "who writes it") for word in words(row[0])}

    assert said == set(metadata.tables)


def test_every_file_that_a_step_goes_through_is_there() -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", section(page(), "Four steps, and what a crash leaves")))

    assert len(named) >= 8
    assert [name for name in named if not (ENGINE / name).exists()] == []


def test_every_failpoint_is_named_with_who_passes_it() -> None:
    groups = [
        failpoints.LIFE_FAILPOINTS,
        failpoints.SCHEDULER_FAILPOINTS,
        failpoints.STOPPING_FAILPOINTS,
        failpoints.RECOVERY_FAILPOINTS,
        failpoints.WORKER_FAILPOINTS,
        failpoints.LOSS_FAILPOINTS,
        failpoints.COMMAND_FAILPOINTS,
        failpoints.GIT_FAILPOINTS,
    ]

    said = [words(row[1]) for row in table(page(), "passed by", "failpoints")]

    assert said == [set(group) for group in groups]


def test_the_loops_are_those_of_a_scheduler() -> None:
    source = (ENGINE / "daemon" / "service.py").read_text(encoding="utf-8")
    there = set(re.findall(r'"(\w+)": self\._', source)) | set(re.findall(r'steps\["(\w+)"\]', source))

    assert {word for row in table(page(), "loop", "its step", "how often") for word in words(row[0])} == there


def test_the_five_components_lead_to_rooms_that_are_there() -> None:
    leads = table(page(), "there", "here", "with")
    components = {word for row in leads for word in words(row[0]) if word.endswith(".py")}

    assert components == {
        "scheduler.py",
        "event_recorder.py",
        "task_dispatcher.py",
        "job_config_manager.py",
        "tasks_manager.py",
    }
    assert {"task_config", "schedule_event", "task_execution"} <= {w for row in leads for w in words(row[0])}


def test_it_has_one_picture_with_the_four_steps() -> None:
    (picture,) = re.findall(r"^```\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)

    assert re.findall(r"T\d", picture) == ["T1", "T2", "T3", "T4"]
    assert max(map(len, picture.splitlines())) <= 100


def test_the_types_that_ship_are_one_file_each() -> None:
    assert "one file each" in without_blocks(page())
    assert all((ENGINE / "types" / f"{name.rpartition('.')[2]}.py").exists() for name in SHIPPED.values())
