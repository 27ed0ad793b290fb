"""The runner of the benchmarks: what its tables say is what was measured."""

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
