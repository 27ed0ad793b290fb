"""What Celery logs beside our lines: one line for what is expected, everything else as it is."""

import logging

import pytest
from billiard.exceptions import WorkerLostError

from taskcfg.celery.quiet import OneLine


def heard(
    error: Exception, said: str, *, logger: str = "celery.worker.request", level: int = logging.ERROR
) -> str:
    facts = (type(error), error, None)
    record = logging.LogRecord(logger, level, "x.py", 1, said, (), facts)
    assert OneLine(WorkerLostError, OSError).filter(record)
    return logging.Formatter("%(message)s").format(record)


def test_what_is_no_fault_in_a_program_is_one_line_with_its_reason() -> None:
    assert heard(WorkerLostError("signal 9"), "Task handler raised error:\n  lost") == (
        "Task handler raised error: lost (WorkerLostError: signal 9)"
    )
    assert heard(ConnectionResetError("reset by peer"), "lost: reset by peer") == "lost: reset by peer"


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (KeyError("x"), {}),
        (OSError("x"), {"logger": "shop.stock"}),
        (OSError("x"), {"level": logging.CRITICAL}),
    ],
)
def test_a_fault_in_a_program_keeps_its_traceback(error: Exception, options: dict[str, object]) -> None:
    said = heard(error, "it broke", **options)  # type: ignore[arg-type]

    assert said == f"it broke\n{type(error).__name__}: {error}"
