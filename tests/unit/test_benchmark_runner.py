"""The runner of the benchmarks: what its tables say is what was measured."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("runner")


@pytest.mark.parametrize("module", sorted(path.stem for path in BENCHMARKS.glob("bench_*.py")))
def test_every_benchmark_can_be_asked_what_it_does(module: str) -> None:
    said = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{module}.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "--rounds" in said.stdout


def test_how_late_a_steady_rate_is_goes_by_the_place_in_the_queue(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = import_module("steady")
    pace = steady.Pace(n=4, rate=2.0, seconds=2.0)
    arrived = [(100.0, 0), (100.25, 1), (101.25, 3), (101.75, 4)]

    late = steady._lateness(arrived, 100.0, pace, published=4)

    assert late == [0.25, 0.75, 0.25, 0.25]


def rounds(*figures: dict[str, float]) -> Any:
    given: Iterator[dict[str, float]] = iter(figures)
    return lambda: next(given)


def test_a_table_shows_spread_ratios_inside_the_rounds_and_what_is_missing_or_failed(
    runner: ModuleType,
) -> None:
    def broken() -> dict[str, float]:
        raise RuntimeError("first line\nlast line")

    benchmark = runner.Benchmark(
        title="A race",
        main="wall, ms",
        columns=[
            runner.Column("ours", rounds({"wall, ms": 20.0, "lost": 0}, {"wall, ms": 90.0, "lost": 0})),
            runner.Column("limit", rounds({"wall, ms": 10.0}, {"wall, ms": 30.5})),
            runner.Column("peer", rounds(), missing="not installed"),
            runner.Column("other", broken),
        ],
        against=("limit",),
        goal="ours at most 3 x the limit",
    )

    report = runner.interleave(benchmark, 2, quiet=True)

    assert report.text().splitlines() == [
        "A race",
        "       wall, ms: median  min   max  ÷ limit  lost  rounds",
        "ours                 55   20    90   2.48 x     0       2",
        "limit              20.2   10  30.5      1 x     -       2",
        "missing: peer: not installed",
        "FAILED: other: RuntimeError: first line … last line",
        "goal: ours at most 3 x the limit",
    ]


def test_rounds_are_interleaved_and_each_begins_with_another_column(runner: ModuleType) -> None:
    order: list[str] = []

    def column(name: str) -> Any:
        return runner.Column(name, lambda: order.append(name) or {"s": 1.0})

    runner.interleave(runner.Benchmark("A race", "s", [column("a"), column("b"), column("c")]), 3, quiet=True)

    assert order == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
