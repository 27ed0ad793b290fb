"""`H` in cron fields: a value that is each task's own, so that tasks do not all start at once."""

from __future__ import annotations

import re
from hashlib import sha256

from taskcfg.spec.shown import shown
from taskcfg.spec.times.cron import NAMED_FIELDS, TEXT_FIELDS
from taskcfg.spec.times.cron_terms import DAY, Field, InvalidCron

_TERM = re.compile(r"H(?:\((\d{1,4})-(\d{1,4})\))?(?:/(\d{1,5}))?", re.ASCII)
_SHORTEST_MONTH = 28


def resolved(expression: str, name: str) -> str:
    """Return *expression* with each `H`, `H/n` and `H(a-b)` as the plain times of the task *name*.

    As in Jenkins (Pipeline syntax, "cron": https://www.jenkins.io/doc/book/pipeline/syntax/#cron-syntax):
    `H` is one value of the field, days up to the 28th; `H/15` every fifteenth from one of the first
    fifteen; `H(0-29)` one from the range, and `H(0-29)/10` every tenth within it. Raises InvalidCron
    for an `H` that cannot be read. Text without `H` is returned as it is.
    """
    if "H" not in expression.upper():
        return expression
    texts = expression.split()
    fields = TEXT_FIELDS[-len(texts) :] if len(texts) in (5, 6) else ()
    if len(fields) != len(texts):
        return expression
    return " ".join(_resolved(field, text, name) for field, text in zip(fields, texts, strict=True))


def resolved_fields(fields: tuple[tuple[str, str], ...], name: str) -> tuple[tuple[str, str], ...]:
    """Return named *fields* with each `H` as the plain times of the task *name*, as `resolved` does."""
    return tuple((each, _resolved(NAMED_FIELDS[each], text, name)) for each, text in fields)


def _resolved(field: Field, text: str, name: str) -> str:
    terms = text.split(",")
    return ",".join(_plain(field, term, name) if _is_hashed(term) else term for term in terms)


def _is_hashed(term: str) -> bool:
    return term.upper() == "H" or term.upper().startswith(("H/", "H("))


def _plain(field: Field, term: str, name: str) -> str:
    found = _TERM.fullmatch(term.upper())
    if found is None:
        expected = "expected `H`, `H/15` or `H(0-29)/10`"
        raise InvalidCron(f"{field.word} {shown(term)} cannot be read", expected)
    lowest, highest, step = _span(field, term, *found.groups())
    if step is None:
        return _said(field, lowest + _hash(name, field) % (highest - lowest + 1))
    start = lowest + _hash(name, field) % min(step, highest - lowest + 1)
    return f"{_said(field, start)}-{_said(field, highest)}/{step}"


def _span(
    field: Field, term: str, first: str | None, last: str | None, step: str | None
) -> tuple[int, int, int | None]:
    """Return the range that *term* picks from, and its step."""
    lowest, highest = field.lowest, 6 if field.is_weekday else field.highest
    if first is not None and last is not None:
        if not lowest <= int(first) <= int(last) <= highest:
            raise InvalidCron(f"{field.word} {shown(term)}: expected a range within {lowest}-{highest}")
        lowest, highest = int(first), int(last)
    elif field is DAY:
        highest = _SHORTEST_MONTH
    if step is not None and int(step) == 0:
        raise InvalidCron(f"{field.word} {shown(term)}: the step after `/` is a whole number from 1")
    if step is not None and int(step) > highest - lowest + 1:
        raise InvalidCron(f"{field.word} {shown(term)}: a step of at most {highest - lowest + 1} fits there")
    return lowest, highest, None if step is None else int(step)


def _said(field: Field, value: int) -> str:
    return field.names[value] if field.names_only else str(value)


def _hash(name: str, field: Field) -> int:
    return int.from_bytes(sha256(f"{field.word}|{name}".encode()).digest()[:8], "big")
