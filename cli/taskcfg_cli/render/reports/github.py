"""Workflow commands of GitHub Actions: each problem stands at its line in the pull request."""

from __future__ import annotations

from collections.abc import Mapping

from taskcfg.control.offline import Checked
from taskcfg.problems import Problem
from taskcfg_cli.render.table import printable

_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_MESSAGES | str.maketrans({":": "%3A", ",": "%2C"})


def github(checked: Checked) -> str:
    """Return a line for each problem; nothing where there is none."""
    return "".join(f"{_command(problem)}\n" for problem in checked.problems)


def _command(problem: Problem) -> str:
    position = problem.position
    place = {"file": position.file, "line": position.line or None, "col": position.column or None}
    title = f"taskcfg: {problem.task}" if problem.task else "taskcfg"
    properties = {**(place if position.is_file else {}), "title": title}
    return f"::{problem.severity.value} {_written(properties)}::{_escaped(problem.explained())}"


def _written(properties: Mapping[str, object]) -> str:
    return ",".join(
        f"{name}={printable(str(value)).translate(_IN_PROPERTIES)}"
        for name, value in properties.items()
        if value is not None
    )


def _escaped(message: str) -> str:
    return printable(message).translate(_IN_MESSAGES)
