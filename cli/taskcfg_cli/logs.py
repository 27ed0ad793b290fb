"""Logs go to stderr, one line an event."""

from __future__ import annotations

import logging
import sys

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def start_logging(level: str) -> None:
    """Send the log of the whole process to stderr from *level* up (`debug`, `info`, `warning`, `error`)."""
    logging.basicConfig(level=level.upper(), format=LINE, stream=sys.stderr, force=True)
    if level != "debug":
        for noisy in ("alembic", "apscheduler", "amqp", "kombu", "watchdog", "httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
