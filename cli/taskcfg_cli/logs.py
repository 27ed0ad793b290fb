"""Logs go to stderr, one line an event."""

from __future__ import annotations

import logging
import sys

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def start_logging(level: str, form: str = "text") -> None:
    """Send the log of the whole process to stderr from *level* up (`debug`, `info`, `warning`, `error`).

    *form* is `text`, for people, or `json`, one object a line.
    """
    logging.raiseExceptions = level == "debug"  # a log that cannot be written brings no traceback
    logging.basicConfig(level=level.upper(), format=LINE, stream=sys.stderr, force=True)
    if form == "json":
        _speak_json()
    if level != "debug":
        for noisy in ("alembic", "apscheduler", "amqp", "kombu", "watchdog", "httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


def _speak_json() -> None:
    from taskcfg.logs import JsonLines, log_thread_failures

    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines())
    logging.captureWarnings(True)
    log_thread_failures()
