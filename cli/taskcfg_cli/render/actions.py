"""What GitHub Actions is told beside stdout: outputs for later steps, and the page of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from taskcfg_cli.render.table import printable

if TYPE_CHECKING:
    from taskcfg.control.plans import ApplyReport, PlanReport


def tell_actions(
    report: PlanReport | ApplyReport, refusal: str | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Add what was planned, or applied, to the files that GitHub Actions names; elsewhere do nothing.

    *refusal* is what a guard will say to an apply. Raises TaskcfgError where a file cannot be written.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    if outputs := environ.get("GITHUB_OUTPUT"):
        _append(
            "GITHUB_OUTPUT", outputs, "".join(f"{name}={value}\n" for name, value in _outputs(report).items())
        )
    if page := environ.get("GITHUB_STEP_SUMMARY"):
        _append("GITHUB_STEP_SUMMARY", page, f"{printable(report.markdown(refusal))}\n")


def _outputs(report: PlanReport | ApplyReport) -> dict[str, str]:
    plan = report.plan
    numbers = {name: str(number) for name, number in asdict(plan.summary).items()}
    return {"has_changes": str(plan.has_changes).lower(), **numbers, "summary": report.total()}


def _append(variable: str, file: str, text: str) -> None:
    try:
        with open(file, "a", encoding="utf-8", errors="backslashreplace", newline="\n") as opened:
            opened.write(text)
    except OSError as error:
        from taskcfg.errors import TaskcfgError

        reason = (error.strerror or str(error)).lower()
        raise TaskcfgError(
            f"`{file}`, which ${variable} names, cannot be written: {reason}",
            hint="later steps read it: mend the variable, or take it away",
        ) from error
