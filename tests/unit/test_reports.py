"""Reports of `validate` for forges and build servers: what they read is what was found, whatever it says."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.control.offline import Checked
from taskcfg.problems import STDIN, Position, Problem, Severity
from taskcfg_cli.render.reports.github import github
from taskcfg_cli.render.reports.gitlab import gitlab
from taskcfg_cli.render.reports.junit import junit
from taskcfg_cli.render.reports.sarif import sarif
from taskcfg_cli.render.table import printable

WRONG = Problem(
    Position("tasks.d/a,b.yaml", 14, 7),
    "params.recipient: unknown field",
    "did you mean `recipients`? 100% sure",
    "weekly",
    "params.recipient",
)
TWICE = Problem(
    Position("tasks.d/a,b.yaml", 3, 3),
    "task `x` is declared twice",
    task="x",
    also=Position("tasks.d/ä.yaml", 7, 3),
)
ODD = replace(WRONG, severity=Severity.WARNING, field="schedule[1].cron", message="fires oddly", hint=None)
WHOLE = Problem(Position("tasks.d/c.yaml"), "the file cannot be read: permission denied")

texts = st.text(max_size=30)
problems = st.builds(
    Problem,
    st.builds(Position, st.text(min_size=1, max_size=12), st.integers(0, 99), st.integers(0, 99)),
    texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | texts,
    severity=st.sampled_from(Severity),
)


def found(*problems: Problem, names: tuple[str, ...] = ()) -> Checked:
    return Checked(3, 4, problems, names)


def as_read_by_a_runner(line: str) -> tuple[str, dict[str, str], str]:
    """Return command, properties and message of a workflow command, as GitHub's runner reads it."""
    assert line.startswith("::")
    head, _, message = line[2:].partition("::")
    command, _, rest = head.partition(" ")
    pairs = ((name, value) for name, _, value in (pair.partition("=") for pair in rest.split(",")) if name)
    properties: dict[str, str] = dict(pairs)
    for name, text in properties.items():
        for escaped, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(escaped, letter)
        properties[name] = text
    for escaped, letter in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        message = message.replace(escaped, letter)
    return command, properties, message


def test_github_shows_each_problem_at_its_line() -> None:
    assert github(found(WRONG, ODD, WHOLE)) == (
        "::error file=tasks.d/a%2Cb.yaml,line=14,col=7,title=taskcfg%3A weekly::"
        "params.recipient: unknown field%0Adid you mean `recipients`? 100%25 sure\n"
        "::warning file=tasks.d/a%2Cb.yaml,line=14,col=7,title=taskcfg%3A weekly::fires oddly\n"
        "::error file=tasks.d/c.yaml,title=taskcfg::the file cannot be read: permission denied\n"
    )


def test_what_came_from_stdin_has_no_line_in_a_repository() -> None:
    line = github(found(replace(WHOLE, position=Position(STDIN, 3, 1))))

    assert line.startswith("::error title=taskcfg::")


@given(problems)
def test_a_runner_reads_what_was_found_whatever_it_says(problem: Problem) -> None:
    (line,) = github(found(problem)).split("\n")[:-1]

    command, properties, message = as_read_by_a_runner(line)

    assert (command, message) == (problem.severity, printable(problem.explained()))
    assert properties.get("file", STDIN) == printable(problem.position.file)


def test_gitlab_gets_what_its_code_quality_report_wants() -> None:
    first, second = gitlab(found(WRONG, replace(ODD, position=WHOLE.position)))

    assert first.pop("fingerprint") != second.pop("fingerprint")
    assert first == {
        "description": "params.recipient: unknown field\ndid you mean `recipients`? 100% sure",
        "check_name": "taskcfg/params",
        "severity": "critical",
        "location": {"path": "tasks.d/a,b.yaml", "lines": {"begin": 14}},
    }
    assert (second["check_name"], second["severity"]) == ("taskcfg/schedule", "minor")
    assert second["location"] == {"path": "tasks.d/c.yaml", "lines": {"begin": 1}}


def test_a_problem_that_moves_to_another_line_is_still_the_same_one() -> None:
    moved = replace(WRONG, position=replace(WRONG.position, line=99))

    assert gitlab(found(WRONG))[0]["fingerprint"] == gitlab(found(moved))[0]["fingerprint"]
    assert gitlab(found(WRONG))[0]["fingerprint"] != gitlab(found(TWICE))[0]["fingerprint"]


@given(st.lists(problems, max_size=6))
def test_no_two_problems_have_one_fingerprint(found_: list[Problem]) -> None:
    fingerprints = [each["fingerprint"] for each in gitlab(found(*found_, *found_))]

    assert len(set(fingerprints)) == 2 * len(found_)


def test_junit_has_a_case_for_each_file() -> None:
    names = ("tasks.d/a,b.yaml", "tasks.d/c.yaml", "tasks.d/good.yaml")
    suites = ElementTree.fromstring(junit(found(TWICE, WRONG, ODD, WHOLE, names=names)))

    assert suites.attrib == {
        "name": "taskcfg validate", "tests": "3", "failures": "2", "errors": "0", "skipped": "0",
    }  # fmt: skip
    many, one, none = suites.iter("testcase")
    assert many.attrib == {
        "name": "tasks.d/a,b.yaml", "classname": "tasks.d", "file": "tasks.d/a,b.yaml",
    }  # fmt: skip
    assert [child.tag for child in many] == ["failure", "system-out"]
    assert many[0].attrib == {"message": "2 problems", "type": "problem"}
    assert many[0].text == f"{TWICE.text()}\n{WRONG.text()}"
    assert many[1].text == ODD.text()
    assert one[0].attrib["message"] == "the file cannot be read: permission denied"
    assert len(none) == 0


@given(st.lists(problems, max_size=4))
def test_junit_is_xml_whatever_the_files_say(several: list[Problem]) -> None:
    suites = ElementTree.fromstring(junit(found(*several)).encode())

    assert len(list(suites.iter("testcase"))) == len({each.position.file for each in several})


def test_sarif_has_a_result_for_each_problem() -> None:
    log = sarif(found(WRONG, TWICE, ODD, WHOLE), "1.2.3")

    (run,) = log["runs"]
    assert (log["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "taskcfg")
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["file", "params", "schedule", "task"]
    assert [(each["ruleId"], each["ruleIndex"], each["level"]) for each in run["results"]] == [
        ("params", 1, "error"),
        ("task", 3, "error"),
        ("schedule", 2, "warning"),
        ("file", 0, "error"),
    ]
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "tasks.d/a%2Cb.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 14, "startColumn": 7},
            }
        }
    ]
    (related,) = run["results"][1]["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "tasks.d/%C3%A4.yaml"
    assert "region" not in run["results"][3]["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("field", ["tiemout", "", None, "x.y"])
def test_what_a_file_calls_its_fields_makes_no_rules(field: str | None) -> None:
    (result,) = sarif(found(replace(WRONG, field=field)), "1")["runs"][0]["results"]

    assert result["ruleId"] == "task"


def test_without_problems_there_are_whole_and_empty_documents() -> None:
    clean = found(names=("tasks.d/good.yaml",))

    assert github(clean) == ""
    assert gitlab(clean) == []
    assert sarif(clean, "1")["runs"][0]["results"] == []
    assert ElementTree.fromstring(junit(clean)).attrib["failures"] == "0"
    assert ElementTree.fromstring(junit(found())).attrib["tests"] == "0"
