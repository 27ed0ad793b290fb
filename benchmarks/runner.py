"""Runs the columns of a benchmark in interleaved rounds and prints what they did as a table.

Times drift on a machine that others use too. Rounds are interleaved so that the drift meets every
column alike, and ratios are taken inside one round, then their median over all rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from table import table

Figures = Mapping[str, float]
"""What one round of one column gave. Keys are the figures' names with their unit."""


class Missing(Exception):
    """A column or a benchmark cannot run here; the message says what is not there."""


@dataclass(frozen=True)
class Column:
    """One contestant. `measure` makes one round; `missing` says why it cannot."""

    name: str
    measure: Callable[[], Figures]
    missing: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """What is measured: `columns` side by side, in the figure `main` above all.

    `against` names the columns that ratios are taken to; `goal` is what we aim at, in words.
    """

    title: str
    main: str
    columns: Sequence[Column]
    against: Sequence[str] = ()
    goal: str = ""
    digits: int = 3


@dataclass
class Report:
    """What the rounds gave, by column; `failed` and `missing` hold reasons."""

    benchmark: Benchmark
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def values(self, column: str, figure: str) -> list[float]:
        return [figures[figure] for figures in self.rounds.get(column, ()) if figure in figures]

    def ratio(self, column: str, other: str, figure: str | None = None) -> float | None:
        """Return the median over the rounds of *column*'s figure divided by *other*'s."""
        figure = figure or self.benchmark.main
        pairs = zip(self.values(column, figure), self.values(other, figure), strict=False)
        ratios = [ours / theirs for ours, theirs in pairs if theirs]
        return statistics.median(ratios) if ratios else None

    def document(self) -> dict[str, object]:
        return {
            "benchmark": self.benchmark.title,
            "main": self.benchmark.main,
            "machine": {
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
                "load": os.getloadavg()[0],
                "platform": platform.platform(),
            },
            "columns": [
                {
                    "name": column.name,
                    "rounds": list(self.rounds.get(column.name, ())),
                    "ratios": {other: self.ratio(column.name, other) for other in self.benchmark.against},
                    "missing": self.missing.get(column.name),
                    "failed": self.failed.get(column.name),
                }
                for column in self.benchmark.columns
            ],
        }

    def text(self) -> str:
        lines = [self.benchmark.title, table(self), *self._reasons()]
        if self.benchmark.goal:
            lines.append(f"goal: {self.benchmark.goal}")
        return "\n".join(lines)

    def _reasons(self) -> list[str]:
        missing = [f"missing: {name}: {reason}" for name, reason in self.missing.items()]
        return missing + [f"FAILED: {name}: {_short(reason)}" for name, reason in self.failed.items()]


def _short(reason: str) -> str:
    """Return what a failed program said first and last: its traceback is in the JSON."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return " … ".join([lines[0], lines[-1]] if len(lines) > 1 else lines)


def interleave(benchmark: Benchmark, rounds: int, *, quiet: bool = False) -> Report:
    """Measure every column *rounds* times, a round of all before the next; a failed one is dropped."""
    report = Report(benchmark)
    for column in benchmark.columns:
        if column.missing:
            report.missing[column.name] = column.missing
    for number in range(rounds):
        for column in _rotated(benchmark.columns, number):
            if column.name in report.missing or column.name in report.failed:
                continue
            said = _measure(report, column)
            if not quiet:
                print(f"  round {number + 1}/{rounds} {column.name}: {said}", file=sys.stderr, flush=True)
    return report


def _measure(report: Report, column: Column) -> str:
    """Add a round of *column* to *report*, or the reason why there is none; return what to say of it."""
    try:
        figures = column.measure()
    except Missing as reason:
        report.missing[column.name] = str(reason)
        return f"missing: {reason}"
    except Exception as error:  # noqa: BLE001 one column's failure must not end the others' measurement
        report.failed[column.name] = f"{type(error).__name__}: {error}"
        return "FAILED"
    report.rounds.setdefault(column.name, []).append(figures)
    main_figure = report.benchmark.main
    return f"{main_figure} {figures.get(main_figure, float('nan')):.4g}"


def _rotated(columns: Sequence[Column], number: int) -> list[Column]:
    """Nobody always comes after the same neighbour, nor always first."""
    start = number % len(columns) if columns else 0
    return [*columns[start:], *columns[:start]]


def main(
    make: Callable[[argparse.Namespace, ExitStack], Sequence[Benchmark]],
    *,
    rounds: int,
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
    argv: Sequence[str] | None = None,
    description: str | None = None,
) -> list[dict[str, object]]:
    """Parse *argv*, run what *make* returns, print the tables, and return them as JSON would hold them.

    *make* may raise Missing: then that is said, and nothing measured.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"interleaved rounds (default {rounds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round to FILE")
    parser.add_argument("--only", metavar="TEXT", action="append", help="only columns whose name holds TEXT")
    parser.add_argument("--quiet", action="store_true", help="no line for each round")
    arguments(parser)
    options = parser.parse_args(argv)
    documents: list[dict[str, object]] = []
    with ExitStack() as stack:
        try:
            benchmarks = make(options, stack)
        except Missing as reason:
            print(f"not measured: {reason}", flush=True)
            documents.append({"benchmark": description, "missing": str(reason)})
            benchmarks = ()
        for benchmark in benchmarks:
            report = interleave(_only(benchmark, options.only), options.rounds, quiet=options.quiet)
            print(f"\n{report.text()}\n", flush=True)
            documents.append(report.document())
    if options.json:
        options.json.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")
    return documents


def _only(benchmark: Benchmark, texts: Sequence[str] | None) -> Benchmark:
    if not texts:
        return benchmark
    wanted = [column for column in benchmark.columns if any(text in column.name for text in texts)]
    return Benchmark(
        benchmark.title, benchmark.main, wanted, benchmark.against, benchmark.goal, benchmark.digits
    )
