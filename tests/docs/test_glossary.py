"""docs/glossary.md names what is there, and the code keeps to its words."""

import ast
import importlib
import re

import pytest

from pages import ROOT, commands, read, section, table
from taskcfg.spec.fires import EventState, ExecutionState
from taskcfg.store.tables import metadata

HEADINGS = ("word", "meaning", "met as")
PARTS = ("Declaring", "Planning", "Firing", "Running")
KINDS = "table|column|commands?|module|class|function|constant|decorator"

FOREIGN_WORDS = {"job", "jobs", "trigger", "triggers", "cron_job"}
"""APScheduler's: met only in the room that speaks to it."""


def met_as() -> list[tuple[str, str]]:
    """Return every place the glossary sends its reader to, with what kind of thing it is."""
    cells = [row[2] for part in PARTS for row in table(section(read("glossary.md"), part), *HEADINGS)]
    return [
        (kind.removesuffix("s"), name)
        for cell in cells
        for kind, first, second in re.findall(rf"\b({KINDS}) `([^`]+)`(?: and `([^`]+)`)?", cell)
        for name in (first, second)
        if name
    ]


@pytest.mark.parametrize(("kind", "name"), met_as())
def test_where_a_word_is_met_there_is_something(kind: str, name: str) -> None:
    match kind:
        case "table":
            assert name in metadata.tables
        case "column":
            table_name, _, column = name.partition(".")
            assert column in metadata.tables[table_name].columns
        case "command":
            assert name in dict(commands())
        case "module":
            importlib.import_module(name)
        case _:
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute)


def test_every_word_says_where_it_is_met() -> None:
    for part in PARTS:
        for word, meaning, place in table(section(read("glossary.md"), part), *HEADINGS):
            assert meaning, word
            assert re.search(rf"\b({KINDS}) `", place), word


def test_the_states_are_those_that_there_are() -> None:
    states = section(read("glossary.md"), "States")

    assert [row[0].strip("`") for row in table(states, "a fire is", "when")] == list(EventState)
    assert [row[0].strip("`") for row in table(states, "an execution is", "when")] == list(ExecutionState)


def test_only_the_room_that_speaks_to_apscheduler_uses_its_words() -> None:
    found = []
    for folder in ("engine/taskcfg", "cli/taskcfg_cli"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "scheduling" not in path.parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found += [f"{path.relative_to(ROOT)}: {name}" for name in foreign(tree)]

    assert found == []


def foreign(tree: ast.Module) -> list[str]:
    """Return the names that *tree* defines and that hold a word of APScheduler's."""
    named: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                named.append(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                named.append(name)
            case _:
                continue
    return [name for name in named if FOREIGN_WORDS & {part.lower() for part in parts(name)}]


def parts(name: str) -> list[str]:
    return re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
