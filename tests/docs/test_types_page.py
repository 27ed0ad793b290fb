"""docs/types.md: its modules are imported and run, its tables compared with the models."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pages import blocks, code_words, read, section, table
from taskcfg.source.loader import load_text
from taskcfg.spec.duration import duration_text
from taskcfg.spec.fires import HARD_LIMIT_AFTER, MOST_REDISPATCHES
from taskcfg.spec.limits import DEEPEST, LONGEST, storable
from taskcfg.types import declare
from taskcfg.types.fire import Fire
from taskcfg.types.registry import GROUP, SHIPPED, Registry, load_types

PAGE = read("types.md")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder with the modules that the page shows, importable; afterwards they are forgotten."""
    names = []
    for block in blocks(PAGE, "python"):
        name = block.partition("\n")[0].removeprefix("# ")
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(block, encoding="utf-8")
        names.append(name.removesuffix(".py").replace("/", "."))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for key in [key for key in declare.declared if key[0] in names]:
        del declare.declared[key]
    for name in {*names, *(name.partition(".")[0] for name in names)}:
        sys.modules.pop(name, None)


def settings_shown() -> Any:
    return next(found for code in blocks(PAGE, "toml") if "types" in (found := tomllib.loads(code)))


def test_the_type_shown_can_be_used_as_shown(modules: Path) -> None:
    registry = load_types(settings_shown()["types"], modules)

    found = [load_text(block, registry) for block in blocks(PAGE, "yaml")]

    assert [problem.text() for each in found for problem in each.problems] == []
    assert {spec.type for each in found for spec in each.specs} == {"report", *SHIPPED}
    assert (kind := registry.find("report")) and kind.summary == "Build and send the report."


def test_the_tests_shown_pass(modules: Path) -> None:
    shown = vars(importlib.import_module("test_tasks"))
    tests = [test for name, test in shown.items() if name.startswith("test_")]

    assert len(tests) == 2
    for test in tests:
        test()


def test_the_entry_point_is_of_the_group_that_is_read() -> None:
    projects = [
        found["project"] for code in blocks(PAGE, "toml") if "project" in (found := tomllib.loads(code))
    ]

    assert [list(project["entry-points"]) for project in projects] == [[GROUP]]


def test_every_field_of_a_fire_is_listed() -> None:
    said = [row[0].strip("`") for row in table(section(PAGE, "Fire"), "field", "meaning")]

    assert said == [field.name for field in fields(Fire)]


def test_every_default_of_a_type_is_listed() -> None:
    assert set(code_words(section(PAGE, "Defaults of a type"))) >= {*declare._DEFAULTS, "retry", "check"}


def test_the_types_that_ship_are_described_and_no_other() -> None:
    said = re.findall(r"^### (.*)$", section(PAGE, "The types that ship"), re.MULTILINE)

    assert sorted(said) == sorted(SHIPPED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_params_of_a_type_that_ships_are_listed_with_their_defaults(name: str) -> None:
    said = [[row[0].strip("`"), row[2]] for row in table(section(PAGE, name), "param", "meaning", "default")]

    model = Registry().named(name).params_model
    there = [[field.alias or name, default_text(field)] for name, field in model.model_fields.items()]

    assert said == there


def default_text(field: Any) -> str:
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True):
        case None:
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case timedelta() as value:
            return f"`{duration_text(value)}`"
        case value:
            return f"`{value}`"


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"At most {LONGEST:,} characters" in PAGE
    assert str(storable("x" * 70_000))[-35:].strip("x") in PAGE
    assert f"deeper than {DEEPEST} levels" in PAGE
    assert f"{HARD_LIMIT_AFTER.seconds} s later" in PAGE
    assert f"at most {MOST_REDISPATCHES} times" in PAGE
