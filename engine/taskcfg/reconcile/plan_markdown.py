"""A plan as a comment on a pull request: it fits, and nothing that stands in a file gets out of its place.

All that comes from files, or from the database, stands inside HTML that is escaped, or inside a fence that is
longer than any run of backticks in it. So it is never read as markup, and mentions nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from taskcfg.errors import count
from taskcfg.problems import Problem
from taskcfg.reconcile.describe import all_lines, plan_total, symbol
from taskcfg.reconcile.outlook import NO_FIRES, FiresChange
from taskcfg.reconcile.plan import Change, ChangeKey, Plan, by_name

MOST_CHARACTERS = 65_000
"""Of a comment. GitHub takes 65,536; counted as UTF-16 does, which is the strictest way."""

LONGEST_LINE = 500
LONGEST_SUMMARY = 200
MOST_LINES = 100
FEW_LINES = 20
MOST_WARNINGS = 10
MOST_MISSES = 20
"""So many changes may find no room before the rest is not even tried."""

_WORDS = {"-": "to delete", ">": "to rename", "~": "to change", "+": "to add"}
"""The symbols of changes. Those come first that are missed least where not all find room."""

_KEPT_BACK = 300
"""Room for the sentence that says what is left out."""


def plan_marker(source: str, environment: str | None = None) -> str:
    """Return the comment that nobody sees, by which a plan's comment is found again and replaced."""
    name = source if environment is None else f"{source} {environment}"
    return f"<!-- taskcfg plan: {_one_line(name)} -->"


def plan_markdown(
    plan: Plan,
    now: datetime,
    fires: Mapping[ChangeKey, FiresChange] = NO_FIRES,
    *,
    environment: str | None = None,
    commit: str | None = None,
    warnings: Sequence[Problem] = (),
    refusal: str | None = None,
    applied: str | None = None,
    as_of: datetime | None = None,
) -> str:
    """Return *plan* as GitHub's and GitLab's Markdown, in at most `MOST_CHARACTERS`.

    *refusal* is what a guard will say to an apply of it; *applied* the last line of the apply that carried
    it out; *as_of* when the snapshot was taken that it was made against. Changes for which there is no room
    are counted; deletes are the last to go.
    """
    where = f"<code>{_one_line(plan.source)}</code>"
    if environment is not None:
        where += f" in <code>{_one_line(environment)}</code>"
    parts = [
        plan_marker(plan.source, environment),
        f"<h3>{'Plan for' if applied is None else 'Applied to'} {where}</h3>",
        f"**{applied or plan_total(plan)}**",
    ]
    if refusal is not None:
        parts += [":no_entry: **Refused**", _fenced("text", refusal.split("\n"), FEW_LINES)]
    if warnings:
        parts.append(_warned(warnings))
    foot = f"<p><sub>{_made(now, commit, as_of)}</sub></p>"
    room = MOST_CHARACTERS - _size("\n\n".join([*parts, foot])) - _KEPT_BACK
    return "\n\n".join([*parts, *_fitting(plan, now, fires, room), foot]) + "\n"


def _made(now: datetime, commit: str | None, as_of: datetime | None) -> str:
    said = [f"{now:%Y-%m-%d %H:%M} UTC"]
    if commit is not None:
        said.append(f"commit <code>{_one_line(commit[:12])}</code>")
    if as_of is not None:
        said.append(f"against the snapshot of {as_of:%Y-%m-%d %H:%M} UTC")
    return ", ".join(said)


def _fitting(plan: Plan, now: datetime, fires: Mapping[ChangeKey, FiresChange], room: int) -> list[str]:
    """Return a block for each change that finds *room*, by name, and how many do not."""
    order = list(_WORDS)
    blocks: dict[int, str] = {}
    left_out: Counter[str] = Counter()
    for change in sorted(by_name(plan), key=lambda each: order.index(symbol(each))):
        block = None
        if left_out.total() <= MOST_MISSES:
            block = _block(change, plan, now, fires, room)
        if block is None:
            left_out[symbol(change)] += 1
        else:
            blocks[id(change)] = block
            room -= _size(block) + 2
    shown = [blocks[id(change)] for change in by_name(plan) if id(change) in blocks]
    if not left_out:
        return shown
    kinds = ", ".join(f"{left_out[sign]:,} {word}" for sign, word in _WORDS.items() if left_out[sign])
    number = left_out.total()
    return [*shown, f"**{number:,} more {'change' if number == 1 else 'changes'}** left out here: {kinds}."]


def _block(
    change: Change, plan: Plan, now: datetime, fires: Mapping[ChangeKey, FiresChange], room: int
) -> str | None:
    """Return *change* with as many of its lines as find *room*, None where not even a few do."""
    title, *lines = all_lines(change, plan, now, fires)
    summary = _shortened(" ".join(title.split()), LONGEST_SUMMARY)
    for most in (MOST_LINES, FEW_LINES):
        block = _collapsed(summary, _fenced("diff", lines, most))
        if _size(block) + 2 <= room:
            return block
    return None


def _warned(warnings: Sequence[Problem]) -> str:
    lines = [line for warning in warnings[:MOST_WARNINGS] for line in warning.text().split("\n")]
    if len(warnings) > MOST_WARNINGS:
        lines.append(f"{len(warnings) - MOST_WARNINGS:,} more")
    return _collapsed(count(len(warnings), "warning"), _fenced("text", lines, FEW_LINES))


def _collapsed(summary: str, body: str) -> str:
    return f"<details><summary><code>{_one_line(summary)}</code></summary>\n\n{body}\n\n</details>"


def _fenced(kind: str, lines: Sequence[str], most: int) -> str:
    shown = [_shortened(line.removeprefix("      "), LONGEST_LINE) for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"… {len(lines) - most:,} more lines")
    text = "\n".join(shown)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    return f"{fence}{kind}\n{text}\n{fence}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _one_line(text: str) -> str:
    """Return *text* as it may stand in HTML: escaped, and without a line end, which would end it."""
    return escape(" ".join(text.split()))


def _size(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
