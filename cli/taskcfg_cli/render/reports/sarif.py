"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from taskcfg.control.offline import Checked
from taskcfg.problems import Position, Problem
from taskcfg_cli.render.reports.identity import fingerprinted, rule_of

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"


def sarif(checked: Checked, version: str) -> dict[str, Any]:
    """Return the log of one run of taskcfg *version*: a result for each problem."""
    rules = sorted({rule_of(problem) for problem in checked.problems})
    driver = {
        "name": "taskcfg",
        "semanticVersion": version,
        "rules": [{"id": rule, "shortDescription": {"text": f"Problems of `{rule}`"}} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(problem, fingerprint, rules) for problem, fingerprint in fingerprinted(checked.problems)
        ],
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _result(problem: Problem, fingerprint: str, rules: list[str]) -> dict[str, Any]:
    rule = rule_of(problem)
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": problem.severity.value,
        "message": {"text": problem.explained()},
        "locations": [_location(problem.position)],
        "partialFingerprints": {"taskcfg/v1": fingerprint},
    }
    if problem.also is not None:
        result["relatedLocations"] = [{"id": 1, **_location(problem.also), "message": {"text": "also here"}}]
    return result


def _location(position: Position) -> dict[str, Any]:
    """Return the place, from the repository's top, which is what whoever reads it calls *SRCROOT*."""
    artifact = {"uri": quote(position.file.encode("utf-8", "surrogatepass"))}
    if position.is_file and not position.file.startswith("/"):
        artifact["uriBaseId"] = ROOT
    place: dict[str, Any] = {"artifactLocation": artifact}
    if position.line:
        place["region"] = {"startLine": position.line, "startColumn": max(position.column, 1)}
    return {"physicalLocation": place}
