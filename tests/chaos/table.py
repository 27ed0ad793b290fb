"""The table of the suite: what each row did, what the checker found, and how it ended.

A row is a test marked `row`. What it learns travels in its report, so that rows run in any
process; the run that gathers the reports writes the table to `build/chaos.md` and `.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from services.required import LABELS, required

WHOLE = os.environ.get("TASKCFG_TEST_CHAOS") == "whole"
"""Whether the rows run in full size, as `make chaos` has them, or small, as in `make test`."""

PROPERTY = "chaos"
TABLE = Path(__file__).parents[2] / "build" / "chaos.md"
HEAD = "| row | database | broker | fires | attempts | gaps | doubles | lost | dead | seconds | verdict |"
RULE = "|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|"


@dataclass(frozen=True)
class Line:
    """One row on one stage. Counts are None where the row did not come so far."""

    row: str
    database: str = ""
    broker: str = ""
    fires: int | None = None
    attempts: int | None = None
    gaps: int | None = None
    doubles: int | None = None
    lost: int | None = None
    dead: int | None = None
    seconds: float | None = None
    verdict: str = ""
    may_be_missing: bool = False

    def __str__(self) -> str:
        cells = [getattr(self, each.name) for each in fields(self)][:-1]
        return "| " + " | ".join("" if cell is None else _cell(cell) for cell in cells) + " |"


def note(request: pytest.FixtureRequest, **facts: Any) -> None:
    """Put *facts*, named as the fields of `Line`, into the line of the test that *request* is of."""
    request.node.user_properties.append((PROPERTY, facts))


def size(small: int, whole: int) -> int:
    """Return how much of something this run takes."""
    return whole if WHOLE else small


def lines_of(properties: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """Return the facts that a report carries, later ones over earlier ones."""
    found: dict[str, Any] = {}
    for name, facts in properties:
        if name == PROPERTY:
            found |= facts
    return found


class Table:
    """Gathers the reports of rows and writes them down. Lives where the whole run is seen."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = lines_of(report.user_properties)
        if "row" not in facts:
            return
        line = self.lines.get(report.nodeid)
        if report.when == "call" or report.outcome != "passed":
            verdict = _verdict(report, facts)
            line = replace(Line(**facts), verdict=verdict)
            if report.when != "teardown" or line.verdict.startswith("FAILED"):
                self.lines[report.nodeid] = line

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.lines:
            return
        write(self.sorted())
        if self.missing() and required() >= set(LABELS):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.lines:
            return
        if WHOLE:
            terminalreporter.write_line(text(self.sorted()))
        for line in self.sorted():
            if line.verdict.startswith("not run"):
                terminalreporter.write_line(f"{line.verdict}: {line.row}, {line.database}", yellow=True)
        if self.missing() and required() >= set(LABELS):
            terminalreporter.write_line("rows were not run that TASKCFG_TEST_REQUIRE=all asks for", red=True)

    def missing(self) -> list[Line]:
        """Return the rows that were not run, but those that may be missing anywhere."""
        return [
            line
            for line in self.lines.values()
            if line.verdict.startswith("not run") and not line.may_be_missing
        ]

    def sorted(self) -> list[Line]:
        return sorted(self.lines.values(), key=lambda line: (line.row, line.database, line.broker))


def text(lines: list[Line]) -> str:
    """Return the table as Markdown."""
    return "\n".join([HEAD, RULE, *map(str, lines)])


def write(lines: list[Line], path: Path = TABLE) -> None:
    """Write the table, for people and for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(lines) + "\n", encoding="utf-8")
    records = [{each.name: getattr(line, each.name) for each in fields(line)} for line in lines]
    path.with_suffix(".json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Gather reports in the process that sees all of them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "chaos-table")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the line of a row: its name stands in the table even if it cannot run."""
    marker = item.get_closest_marker("row")
    if marker:
        item.user_properties.append((PROPERTY, {"row": marker.args[0], **marker.kwargs}))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """A row without a verdict is a failure, not a success."""
    result = yield
    if pyfuncitem.get_closest_marker("row"):
        assert "gaps" in lines_of(pyfuncitem.user_properties), "the row ended without the checker's verdict"
    return result


def _verdict(report: pytest.TestReport, facts: Mapping[str, Any]) -> str:
    if report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return f"not run: {reason.removeprefix('Skipped: ')}"
    return "held" if report.outcome == "passed" else f"FAILED in {report.when}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")
