"""docs/task-files.md is what the loader takes: every block, every row of its tables."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pages import blocks, code_words, read, rows, section, table
from taskcfg.source import task_fields, yaml_reader
from taskcfg.source.environments import Environments
from taskcfg.source.loader import Loaded, load_folder, load_text
from taskcfg.source.schedules import reading as schedules
from taskcfg.source.schedules.qualifiers import QUALIFIERS
from taskcfg.spec.duration import duration_text
from taskcfg.spec.fields import LATER_FIELDS, MOST_ALLOWED, MOST_ATTEMPTS, RETRY_FIELDS
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.task import LONGEST_NAME, TaskSpec
from taskcfg.spec.times.cron import NAMED_FIELDS, read_cron
from taskcfg.types.registry import LATER as LATER_TYPES
from taskcfg.types.registry import Registry

PAGE = read("task-files.md")
PLAIN = {"type": "http", "schedule": "{every: 1h}", "params": '{url: "https://example.org/"}'}
HEADINGS = ("field", "meaning", "default", "example")


def loaded(text: str) -> Loaded:
    return load_text(text, Registry())


def problems(found: Loaded) -> list[str]:
    return [problem.text() for problem in found.problems]


def task(**fields: str) -> str:
    """Return a file with one task of these fields, each written as in a flow mapping."""
    lines = [f"    {name}: {value}" for name, value in (PLAIN | fields).items()]
    return "\n".join(["tasks:", "  example:", *lines, ""])


def own_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell.replace(r"\|", "|"))


@pytest.mark.parametrize("block", [each for each in blocks(PAGE, "yaml") if "# tasks.d/" not in each])
def test_a_block_that_stands_alone_is_a_task_file_without_a_problem(block: str) -> None:
    found = loaded(block)

    assert problems(found) == []
    assert found.tasks >= 1


def test_the_blocks_with_a_file_name_make_a_folder_without_a_problem(tmp_path: Path) -> None:
    for block in blocks(PAGE, "yaml"):
        if name := re.match(r"# (tasks\.d/\S+)\n", block):
            file = tmp_path / name[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block, encoding="utf-8")

    found = load_folder(tmp_path / "tasks.d", Registry(), root=tmp_path)
    staging = load_folder(
        tmp_path / "tasks.d", Registry(), root=tmp_path, environments=Environments("staging")
    )

    assert problems(found) == problems(staging) == []
    urls = {spec.name: spec.params.get("url") for spec in staging.specs}
    assert urls["billing.reminders"] == "https://staging.example.org/remind"
    reminders = next(spec for spec in found.specs if spec.name == "billing.reminders")
    assert reminders.labels == {"team": "platform", "cost-centre": "4711"}
    assert (reminders.policy.retry.attempts, reminders.policy.retry.delay) == (2, timedelta(minutes=1))
    assert (reminders.timezone, reminders.owner) == ("Europe/London", None)


def test_every_field_is_listed_and_no_other() -> None:
    said = [own_words(row[0])[0] for row in table(section(PAGE, "The fields of a task"), *HEADINGS)]

    assert sorted(said) == sorted(task_fields.FIELDS)


@pytest.mark.parametrize("row", table(section(PAGE, "The fields of a task"), *HEADINGS))
def test_the_default_and_the_example_of_a_field_are_so(row: list[str]) -> None:
    name, example = own_words(row[0])[0], own_words(row[3])[0]
    default = TaskSpec("", "").document().get(name)
    if isinstance(duration := getattr(Policy(), name, None), timedelta):
        default = duration

    if name in ("type", "schedule"):
        assert row[2] == "required"
    elif name == "retry":
        assert row[2] == "1 attempt"
        assert default["attempts"] == 1
    else:
        assert row[2] == default_text(default)
    assert problems(loaded(task(**{name: example}))) == []


def default_text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return f"`{duration_text(value)}`"
        case _:
            return f"`{value}`"


def test_the_fields_of_retry_are_listed_with_their_defaults() -> None:
    said = [
        [*own_words(row[0]), row[2]] for row in table(section(PAGE, "Retry"), "field", "meaning", "default")
    ]

    assert said == [[name, default_text(getattr(Retry(), name))] for name in RETRY_FIELDS]


@pytest.mark.parametrize("row", table(section(PAGE, "Schedules"), "form", "fires"))
def test_every_form_of_a_schedule_is_read(row: list[str]) -> None:
    assert problems(loaded(task(schedule=own_words(row[0])[0]))) == []


def test_every_kind_of_schedule_is_shown() -> None:
    forms = " ".join(row[0] for row in table(section(PAGE, "Schedules"), "form", "fires"))

    assert [kind for kind in (*schedules.KINDS, "anchor", "manual") if kind not in forms] == []


def test_the_keys_that_may_stand_beside_a_rule_are_listed() -> None:
    said = [
        own_words(row[0])[0] for row in table(section(PAGE, "Beside a rule"), "key", "meaning", "default")
    ]

    assert tuple(said) == QUALIFIERS


def test_the_named_fields_of_cron_are_listed() -> None:
    said = own_words(section(PAGE, "Named fields").split(". ")[0])

    assert said == list(NAMED_FIELDS)


@pytest.mark.parametrize("row", table(section(PAGE, "Cron text"), "expression", "meaning"))
def test_every_cron_expression_is_read(row: list[str]) -> None:
    assert read_cron(own_words(row[0])[0]).text == own_words(row[0])[0]


@pytest.mark.parametrize("row", table(section(PAGE, "What is refused"), "in a task", "problem"))
def test_what_is_said_to_be_refused_is_refused_in_these_words(row: list[str]) -> None:
    found = loaded(f"tasks:\n  example: {own_words(row[0])[0]}\n")

    assert not found.valid
    assert row[1] in "\n".join(problems(found))


def test_what_is_not_there_yet_is_what_is_refused_as_such() -> None:
    later = "\n".join(" ".join(row) for row in rows(section(PAGE, "What is refused"), 2)[-4:])
    said = set(code_words(later))

    assert {*LATER_FIELDS, *LATER_TYPES} <= said
    assert not said & {*task_fields.FIELDS} - {"timezone"}


def test_the_limits_are_those_of_the_reader() -> None:
    limits = dict(table(section(PAGE, "Limits"), "of", "limit"))

    assert limits == {
        "a file": f"{yaml_reader.LARGEST // 1024**2} MB, {yaml_reader.MOST_NODES:,} keys and values",
        "nesting": f"{yaml_reader.DEEPEST} levels",
        "what aliases add to a file": f"{yaml_reader.MOST_EXPANDED:,} values",
        "a task's name": f"{LONGEST_NAME} characters",
        "`retry.attempts`": f"{MOST_ATTEMPTS:,}",
        "`overlap: {allow: …}`": f"{MOST_ALLOWED:,}",
    }
