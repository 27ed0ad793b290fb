"""While a body runs with secrets: what its process logs and prints goes through their mask."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from taskcfg.spec.masking import Mask

_lock = threading.RLock()
_masks: list[Mask] = []
"""Those of the bodies that run now: several where the worker's pool is one of threads."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every log record has; the rest are the extras of who logged."""


@contextmanager
def hiding(mask: Mask) -> Iterator[None]:
    """Have `***` written for *mask*'s secrets by every logger of this process, and on stdout and stderr."""
    if not mask:
        yield
        return
    with _lock:
        _masks.append(mask)
        _begin()
    try:
        yield
    finally:
        with _lock:
            try:
                if len(_masks) == 1:
                    _end()
            finally:
                _masks.remove(mask)


def _begin() -> None:
    # A filter of a logger does not see the records of those below it, and one of a handler only those
    # of the handlers that are there by now; a record's factory is asked before its extras are set.
    setattr(logging.Logger, "callHandlers", _call_handlers)  # noqa: B010
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, MaskedStream):
            setattr(sys, name, MaskedStream(stream))


def _end() -> None:
    setattr(logging.Logger, "callHandlers", _call_handlers_plainly)  # noqa: B010
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, MaskedStream):
            stream.flush()
            setattr(sys, name, stream.stream)


def _masked(text: str) -> str:
    for mask in tuple(_masks):
        text = mask.text(text)
    return text


class MaskedStream:
    """A text stream that writes whole lines of *stream*, masked; a begun line when it is flushed."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        with _lock:
            # Masked at once, for a secret of several lines, and as a line, for one that comes in pieces.
            lines, newline, self._begun = (self._begun + _masked(text)).rpartition("\n")
            if newline:
                self.stream.write(_masked(lines + newline))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with _lock:
            begun, self._begun = self._begun, ""
            if begun:
                self.stream.write(_masked(begun))
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_call_handlers_plainly = logging.Logger.callHandlers


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    _mask_record(record)
    _call_handlers_plainly(logger, record)


def _mask_record(record: logging.LogRecord) -> None:
    _mask_message(record)
    _mask_error(record)
    for name in vars(record).keys() - _OWN:
        for mask in tuple(_masks):
            setattr(record, name, mask.value(getattr(record, name)))


def _mask_message(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 the handler that formats it reports it, on the masked stderr
        return
    if (masked := _masked(message)) != message:
        record.msg, record.args = masked, None


def _mask_error(record: logging.LogRecord) -> None:
    if record.exc_info and record.exc_info[0] is not None:
        told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (masked := _masked(told)) != told:
            record.exc_info, record.exc_text = None, masked
    for name in ("exc_text", "stack_info"):
        if isinstance(told := getattr(record, name), str):
            setattr(record, name, _masked(told))
