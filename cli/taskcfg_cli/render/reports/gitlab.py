"""GitLab's Code Quality report."""

from __future__ import annotations

from typing import Any

from taskcfg.control.offline import Checked
from taskcfg.problems import Severity
from taskcfg_cli.render.reports.identity import fingerprinted, rule_of

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor"}


def gitlab(checked: Checked) -> list[dict[str, Any]]:
    """Return the report: one element for each problem."""
    return [
        {
            "description": problem.explained(),
            "check_name": f"taskcfg/{rule_of(problem)}",
            "fingerprint": fingerprint,
            "severity": SEVERITIES[problem.severity],
            "location": {"path": problem.position.file, "lines": {"begin": problem.position.line or 1}},
        }
        for problem, fingerprint in fingerprinted(checked.problems)
    ]
