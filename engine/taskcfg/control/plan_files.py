"""Plans as files: written by one who plans, read by one who applies."""

from __future__ import annotations

import json
from pathlib import Path

from taskcfg.control.plans import PlanReport
from taskcfg.errors import InvalidPlanFile
from taskcfg.reconcile.saved_plan import SavedPlan, read_saved_plan
from taskcfg.source.replacing import replace_file


def save_plan(report: PlanReport, file: Path) -> None:
    """Write the plan to *file*, whole or not at all. Raises OSError."""
    text = json.dumps(report.saved(), ensure_ascii=False, indent=2)
    try:
        replace_file(file, f"{text}\n".encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def load_plan(file: Path) -> SavedPlan:
    """Return the plan that was written to *file*. Raises InvalidPlanFile."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidPlanFile(str(file), "it is no text") from error
    except OSError as error:
        raise InvalidPlanFile(str(file), (error.strerror or str(error)).lower()) from error
    return read_saved_plan(text, str(file))
