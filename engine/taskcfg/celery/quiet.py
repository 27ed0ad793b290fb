"""Celery's own log beside ours: nothing said twice, and no traceback for what a line tells better."""

from __future__ import annotations

import logging
import warnings

from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import RestartFreqExceeded, Terminated, TimeLimitExceeded, WorkerLostError
from billiard.util import get_logger
from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning

from taskcfg.errors import TaskcfgError

TALKATIVE = ("celery.app.trace", "celery.worker.strategy")
"""Loggers that say for each task what our own line says, and print what may be secret."""

LIBRARIES = ("celery", "kombu", "amqp", "billiard", "multiprocessing")


def quieten(app: Celery, *, theirs: bool = False) -> None:
    """Have Celery leave our logging alone, and say in one line what is no fault in a program.

    With an app of the user's own (*theirs*) Celery goes on saying what it says of each task.
    """
    signals.setup_logging.connect(_leave_logging_alone, weak=False)
    for name in () if theirs else TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        with app.connection_for_read() as connection:
            outages = (*connection.connection_errors, *connection.channel_errors, OSError)
        shorten = OneLine(
            TaskcfgError, RestartFreqExceeded, WorkerLostError, TimeLimitExceeded, Terminated, *outages
        )
        for handler in logging.getLogger().handlers:
            handler.addFilter(shorten)
    get_logger().propagate = True  # else what it says of pool processes goes past our log, unformatted
    # At each lost connection it warns of a default that we set ourselves.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    # It warns of running as root, which in a container is usual, and of pickle, which we do not accept.
    warnings.filterwarnings("ignore", category=SecurityWarning)


class OneLine(logging.Filter):
    """Puts an expected exception's sentence in place of its traceback: a broker that is away, a pool
    process that died. Only in what Celery and its libraries say; a crash of theirs stays whole."""

    def __init__(self, *expected: type[BaseException]) -> None:
        super().__init__()
        self._expected = expected

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if (
            isinstance(error, self._expected)
            and (record.levelno < logging.CRITICAL or isinstance(error, RestartFreqExceeded | TaskcfgError))
            and record.name.partition(".")[0] in LIBRARIES
        ):
            said = " ".join(record.getMessage().split())
            reason = f"{type(error).__name__}: {error}"
            record.msg = said if str(error) in said else f"{said} ({reason})"
            record.args = ()
            record.exc_info = record.exc_text = None
        return True


def _leave_logging_alone(**_: object) -> None:
    """Celery sets up logging only where nobody receives its signal; ours is set up already."""
