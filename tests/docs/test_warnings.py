"""docs/task-files.md lists every warning about a task, in its words, with what to do."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pages import read, section, table
from taskcfg import spec
from taskcfg.problems import Problem, Severity
from taskcfg.source.loader import load_text
from taskcfg.spec.task_advice import FEWEST, TOGETHER
from taskcfg.types.registry import Registry
from taskcfg_cli.render.plan import MOST_WARNINGS

PAGE = section(read("task-files.md"), "What `validate` warns of")
ROWS = table(PAGE, "written", "warned of", "what to do")
JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


def warnings(*tasks: str) -> tuple[Problem, ...]:
    """Return what is wrong with tasks of these fields."""
    lines = ["tasks:"]
    for number, fields in enumerate(tasks):
        lines += [f"  task-{number}:", "    type: http", '    params: {url: "https://example.org/"}', fields]
    return load_text("\n".join(lines), Registry(), now=JANUARY).problems


def fields_of(cell: str) -> str:
    return "    " + cell.strip("`").replace(", timeout", "\n    timeout")


@pytest.mark.parametrize("row", ROWS)
def test_what_is_warned_of_is_so_in_these_words(row: list[str]) -> None:
    (found,) = warnings(fields_of(row[0]))

    assert (found.severity, found.message.partition(": ")[2], found.hint) == (
        Severity.WARNING,
        row[1],
        row[2],
    )


def test_what_silences_a_warning_does() -> None:
    night = '    schedule: {cron: "30 2 * * *", timezone: Europe/Berlin'
    often = "    schedule: {every: 5m}\n    timeout: 10m"

    assert warnings(f"{night}}}") and not warnings(f"{night}, dst: {{gap: run_after, overlap: first}}}}")
    assert warnings(often) and not warnings(f"{often}\n    overlap: allow")


def test_a_pile_up_is_warned_of_as_is_said() -> None:
    hourly = [f'    schedule: {{cron: "{minute} * * * *"}}' for minute in (0,) * 12 + (7,) * 3]
    said = " ".join(PAGE.split())

    (found,) = warnings(*hourly)

    assert f'"{found.message.removeprefix("schedule: ")}"' in said
    assert (FEWEST, TOGETHER) == (10, 5)
    assert "ten of them or more" in said and "five or more meet in one hour" in said
    assert not warnings(*[f"{each}\n    jitter: 1m" for each in hourly])


def test_beside_a_plan_as_many_are_shown_as_is_said() -> None:
    assert MOST_WARNINGS == 10 and "show the first ten" in PAGE


def test_every_warning_there_is_has_a_row() -> None:
    """Whoever gives advice on something new lists it, and counts it here."""
    folder = Path(spec.__path__[0])
    given = [len(re.findall(r"\bAdvice\(", path.read_text())) for path in folder.glob("*.py")]

    # Of the rows, two are of steps, and two are of instants; the pile-up is in the text.
    assert sum(given) == len(ROWS) - 3 + 1
