"""The printed table: a line for each column; the main figure whole, the others as medians."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner import Report


def table(report: Report) -> str:
    """Return *report* as text: median, min, max and ratios of the main figure, medians of the rest."""
    benchmark = report.benchmark
    others = _other_figures(report)
    against = [name for name in benchmark.against if report.values(name, benchmark.main)]
    head = [
        "",
        f"{benchmark.main}: median",
        "min",
        "max",
        *(f"÷ {name}" for name in against),
        *others,
        "rounds",
    ]
    rows = []
    for column in benchmark.columns:
        values = report.values(column.name, benchmark.main)
        if not values:
            continue
        spread = [statistics.median(values), min(values), max(values)]
        ratios = [report.ratio(column.name, other) for other in against]
        medians = [_median(report.values(column.name, figure)) for figure in others]
        rows.append(
            [column.name, *(_number(value, benchmark.digits) for value in spread)]
            + [_number(ratio, 3) + ("" if ratio is None else " x") for ratio in ratios]
            + [_number(value, benchmark.digits) for value in medians]
            + [str(len(values))]
        )
    return _aligned([head, *rows]) if rows else "(nothing measured)"


def _other_figures(report: Report) -> list[str]:
    named: dict[str, None] = {}
    for rounds in report.rounds.values():
        for figures in rounds:
            named.update(dict.fromkeys(figures))
    named.pop(report.benchmark.main, None)
    return list(named)


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _number(value: float | None, digits: int) -> str:
    """Return *value* with *digits* significant digits, never in powers of ten."""
    if value is None or math.isnan(value):
        return "-"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    leading_zeros = 0
    while 0 < abs(value) * 10 ** (leading_zeros + 1) < 1:
        leading_zeros += 1
    return f"{value:.{digits - whole + leading_zeros}f}"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: list[str], widths: Iterable[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
    return "  ".join(cells).rstrip()
