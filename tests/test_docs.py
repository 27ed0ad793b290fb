"""The documents say what is so: every command, flag, setting and exit code, and nothing that is not there."""

import ast
import inspect
import re
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pages import commands, flags, read, rows
from taskcfg import errors
from taskcfg.control import documents
from taskcfg.errors import TaskcfgError
from taskcfg.setting_values import size_text
from taskcfg.settings import READERS, Settings, load_settings
from taskcfg.spec.duration import duration_text
from taskcfg_cli.exit_codes import ExitCode, exit_code_of
from taskcfg_cli.main import ALIASES, taskcfg

EVERYWHERE = {"--help", "--env", "--log-level", "--log-format", "--color"}


def sections(text: str) -> dict[str, str]:
    """Return the sections of docs/commands.md by the command they describe."""
    parts = re.split(r"^## `taskcfg ([^`]+)`$", text, flags=re.MULTILINE)
    return {
        re.split(r" \[| NAME| FIRE| REVISION", title)[0]: body
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_command_has_its_section_and_no_other_has_one() -> None:
    assert list(sections(read("commands.md"))) == [name for name, _ in commands()]


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_a_section_names_every_flag_of_its_command_and_no_other(name: str) -> None:
    said = {
        cell
        for row in rows(sections(read("commands.md"))[name], 2)
        for cell in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[0])
    }

    assert said == flags(dict(commands())[name]) - EVERYWHERE


def test_the_flags_that_every_command_takes_are_described_once() -> None:
    general = read("commands.md").split("\n## ")[0]

    assert EVERYWHERE | flags(taskcfg) <= set(re.findall(r"--?[a-z-]+", general))
    for name, command in commands():
        assert EVERYWHERE - {"--help"} <= flags(command), name


def test_aliases_are_named() -> None:
    assert [
        alias
        for alias, name in ALIASES.items()
        if f"`taskcfg {alias}`" not in sections(read("commands.md"))[name]
    ] == []


def test_every_setting_is_listed_with_its_variable_and_its_default() -> None:
    table = [row[:3] for row in rows(read("settings.md"), 4)[1:]]

    assert table == [[f"`{name}`", f"`TASKCFG_{name.upper()}`", default_text(name)] for name in READERS]


def default_text(name: str) -> str:
    default: Any = next(field.default for field in fields(Settings) if field.name == name)
    if default is MISSING:
        default = str(getattr(load_settings(environ={}, folder=Path("/")), name)).removeprefix("/")
        default = default.replace("////", "///")
    if isinstance(default, timedelta):
        default = duration_text(default)
    if isinstance(default, bool):
        default = str(default).lower()
    if name == "max_message_size":
        default = size_text(default)
    return "none" if default in (None, ()) else f"`{default}`"


def test_exit_codes_are_listed_with_their_names() -> None:
    table = [row[:2] for row in rows(read("exit-codes.md"), 3) if row[0].isdigit()]

    assert table == [[str(code.value), f"`{code.name}`"] for code in ExitCode]


def test_every_error_code_is_listed_with_its_exit_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TaskcfgError)
    ]
    said = {row[0].strip("`"): int(row[1]) for row in rows(read("exit-codes.md"), 3) if row[1].isdigit()}

    assert said == {
        **{kind.code: int(exit_code_of(kind.code)) for kind in kinds},
        "usage": 64,
        "internal_error": 1,
        "interrupted": 130,
    }


def keys_returned(function: str) -> set[str]:
    """Return the keys of the mapping that a function of `taskcfg.control.documents` returns."""
    tree = ast.parse(inspect.getsource(documents))
    (body,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    returned = next(node.value for node in ast.walk(body) if isinstance(node, ast.Return))
    assert isinstance(returned, ast.Dict)
    return {key.value for key in returned.keys if isinstance(key, ast.Constant)}


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("validate", "problem_document"),
        ("list", "task_document"),
        ("show", "task_details"),
        ("run", "requested_document"),
        ("history", "execution_document"),
        ("events", "fire_document"),
        ("status", "source_document"),
        ("status", "scheduler_document"),
        ("status", "worker_document"),
    ],
)
def test_every_key_of_a_command_s_json_is_shown(command: str, function: str) -> None:
    said = sections(read("commands.md"))[command]

    assert sorted(key for key in keys_returned(function) if f'"{key}"' not in said) == []
