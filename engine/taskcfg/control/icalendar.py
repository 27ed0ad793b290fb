"""Coming fires as a calendar that other programs read: iCalendar, RFC 5545.

Written by hand: it is ten properties, and the best kept library, `icalendar`, takes eleven times as long
(decision 11), more than all the rest of `next`. The tests read it back with that library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from uuid import UUID, uuid5

from taskcfg.control.coming import Coming, ComingFire
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.words import schedule_words

LONGEST_LINE = 75
"""Octets of a line, without its end; longer ones are folded."""

_NAMESPACE = UUID("5f0a8dc3-6f0e-5e0b-9d61-6a2a7b0d8f43")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def calendar_lines(coming: Coming, specs: Mapping[str, TaskSpec], now: datetime) -> Iterator[bytes]:
    """Yield the lines of a calendar, ends and all: one event a fire.

    An event's UID is the same for the same task and nominal time, whenever it is asked for, so that
    importing it again changes the event instead of adding one.
    """
    stamp = _utc(now)

    @cache
    def words(task: str) -> str:
        spec = specs[task]
        said = schedule_words(spec.schedule, spec.timezone)
        return f"{spec.description.strip()}\n\n{said}" if spec.description else said

    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
    yield _line("PRODID", f"-//taskcfg//taskcfg {version('taskcfg')}//EN")
    for fire in coming.fires:
        yield from _event(fire, stamp, words)
    yield b"END:VCALENDAR\r\n"


def _event(fire: ComingFire, stamp: str, words: Callable[[str], str]) -> Iterator[bytes]:
    uid = uuid5(_NAMESPACE, f"{fire.task}|{rfc3339(fire.nominal_at)}")
    yield (
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:{stamp}\r\nDTSTART:{_utc(fire.fire_at)}\r\n"
        "TRANSP:TRANSPARENT\r\n"
    ).encode()
    yield _line("SUMMARY", f"{fire.task} (paused)" if fire.paused else fire.task)
    facts = [words(fire.task)]
    if fire.fire_at != fire.nominal_at:
        facts.append(f"nominal time {fire.local.isoformat()}, and jitter")
    if fire.note:
        facts.append(fire.note)
    if fire.paused:
        facts.append("paused: fires only if the task is resumed before")
    yield _line("DESCRIPTION", "\n".join(facts))
    yield b"END:VEVENT\r\n"


def _utc(instant: datetime) -> str:
    return f"{rfc3339(instant.replace(microsecond=0))}".replace("-", "").replace(":", "")


def _line(name: str, text: str) -> bytes:
    """Return one property, folded: no line is longer than 75 octets, and no letter is cut in two."""
    plain = _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    rest = f"{name}:{plain.translate(_ESCAPED)}".encode()
    lines, room = [], LONGEST_LINE
    while len(rest) > room:
        cut = room
        while rest[cut] & 0b1100_0000 == 0b1000_0000:  # inside a letter
            cut -= 1
        lines.append(rest[:cut])
        rest, room = rest[cut:], LONGEST_LINE - 1
    return b"\r\n ".join([*lines, rest]) + b"\r\n"
