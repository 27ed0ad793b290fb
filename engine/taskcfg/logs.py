"""The log: as JSON, one object a line, made from the same `name key=value` lines that people read; and
whole across forks."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from taskcfg.clock import SystemClock

EVENT = re.compile(r"[a-z]+(?:[._][a-z]+)*\.[a-z_]+(?=[ :]|$)")
_PLACEHOLDER = re.compile(r"(?:(?<![^ (])([a-z_]+)=)?%[-#0 +]*\d*(?:\.\d+)?([a-zA-Z%])")
_OWN = {"time", "level", "logger", "message", "exception", "process"}
LONGEST_LINE = 5.0
"""Seconds a fork waits for a line that is being written."""

_RENAMED = {"event": "event_id"}
"""What a line calls `event` is a fire's id; in JSON that word is the line's own name."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON, in ASCII, so that no encoding can break it.

    `time` (RFC 3339, UTC), `level`, `logger`, `event` (the name of a line of ours, else null),
    `message`, the line's own `key=value` facts, and where there is one, `exception` as text.
    """

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": rfc3339_milliseconds(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": None,
            "message": record.getMessage(),
        }
        event = EVENT.match(document["message"])
        if event is not None and record.name.startswith("taskcfg"):
            document["event"] = event[0]
            if isinstance(record.args, tuple):
                keys = _keys(str(record.msg))
                document |= {key: _plain(fact) for key, fact in zip(keys, record.args, strict=False) if key}
        if record.exc_info and record.exc_info[0] is not None:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document)


def child_line(process: str, line: str) -> str:
    """Return what the child *process* said as a JSON line that names it: its own line, or one of ours."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not {"time", "level", "message"} <= said.keys():
        said = {
            "time": rfc3339_milliseconds(SystemClock().now()),
            "level": "info",
            "logger": "taskcfg.up",
            "event": "child.output",
            "message": line.rstrip("\r\n"),
        }
    return json.dumps({**said, "process": process})


def log_thread_failures() -> None:
    """Have what ends a thread unexpectedly told in the log, and not as lines of its own on stderr."""

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit and args.exc_value is not None:
            name = args.thread.name if args.thread else "?"
            logging.getLogger("taskcfg").critical("thread.died thread=%s", name, exc_info=args.exc_value)

    threading.excepthook = tell


@cache
def finish_lines_before_forks() -> None:
    """Have a fork wait, from now on, for lines that other threads are writing.

    `logging` gives a child new locks of its own, but not the stream's: one that another thread held at
    that moment is never released there, and the first line of the child waits for ever.
    """
    held: list[threading.RLock] = []

    def before() -> None:
        for handler in _handlers():
            if handler.lock is not None and handler.lock.acquire(timeout=LONGEST_LINE):
                held.append(handler.lock)

    def after() -> None:
        while held:
            held.pop().release()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=held.clear)


def _handlers() -> list[logging.Handler]:
    loggers = [logging.getLogger(name) for name in (None, "taskcfg", "celery")]
    return [handler for logger in loggers for handler in logger.handlers]


def rfc3339_milliseconds(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def _keys(template: str) -> tuple[str | None, ...]:
    """Return for each argument of a line's *template* the key before it, None where there is none."""
    return tuple(_key(found[1]) for found in _PLACEHOLDER.finditer(template) if found[2] != "%")


def _key(name: str | None) -> str | None:
    return None if name in _OWN else _RENAMED.get(name or "", name)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    return str(value)
