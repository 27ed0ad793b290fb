"""JUnit's XML, which every build server reads: a file is a test case, and its problems are a failure."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import dirname
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from taskcfg.control.offline import Checked
from taskcfg.errors import count
from taskcfg.problems import Problem, Severity
from taskcfg_cli.render.table import printable

SUITE = "taskcfg validate"
_NO_CHARACTERS = str.maketrans({"\ufffe": "?", "\uffff": "?"})
"""What XML may not hold, beside what `printable` takes away."""


def junit(checked: Checked) -> str:
    """Return the report: a test case for each file that was read."""
    by_file: dict[str, list[Problem]] = {name: [] for name in checked.names}
    for problem in checked.problems:
        by_file.setdefault(problem.position.file, []).append(problem)
    failures = sum(any(map(_is_error, problems)) for problems in by_file.values())
    numbers = {"tests": str(len(by_file)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suites = Element("testsuites", {"name": SUITE, **numbers})
    suite = SubElement(suites, "testsuite", {"name": SUITE, **numbers})
    for file, problems in sorted(by_file.items()):
        _add_case(suite, file, problems)
    indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suites, encoding="unicode")}\n'


def _add_case(suite: Element, file: str, problems: Sequence[Problem]) -> None:
    name = _held(file)
    case = SubElement(suite, "testcase", {"name": name, "classname": dirname(name) or SUITE, "file": name})
    errors = [problem for problem in problems if _is_error(problem)]
    if errors:
        message = errors[0].message if len(errors) == 1 else count(len(errors), "problem")
        failure = SubElement(case, "failure", {"message": _held(message), "type": "problem"})
        failure.text = _texts(errors)
    if len(errors) < len(problems):
        SubElement(case, "system-out").text = _texts([each for each in problems if not _is_error(each)])


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _texts(problems: Sequence[Problem]) -> str:
    return _held("\n".join(problem.text() for problem in problems))


def _held(text: str) -> str:
    return printable(text).translate(_NO_CHARACTERS)
