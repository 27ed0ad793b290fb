"""What forges and build servers are told: files named from the top of the repository, exit codes as ever."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from acceptance.project import Finished, Project
from repositories import git_in

BAD = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "*/7 * * * *"}
    params: {target: execution_history, older_then: 30d}
"""
GOOD = BAD.replace("*/7", "*/5").replace("older_then", "older_than")


@pytest.fixture
def below(project: Project) -> Project:
    """A project that is a folder of a repository, not its top."""
    git_in(project.folder)("init", "-q")
    project.write("ops/taskcfg.toml", "")
    project.write("ops/tasks.d/tasks.yaml", BAD)
    return project


def files_named(format: str, out: str) -> set[str]:
    match format:
        case "github":
            return {line.split("file=")[1].split(",")[0] for line in out.splitlines()}
        case "gitlab":
            return {each["location"]["path"] for each in json.loads(out)}
        case "junit":
            return {case.attrib["file"] for case in ElementTree.fromstring(out).iter("testcase")}
    results = json.loads(out)["runs"][0]["results"]
    return {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results}


FORMATS = ("github", "gitlab", "junit", "sarif")


@pytest.mark.parametrize("format", FORMATS)
def test_files_are_named_from_the_top_of_the_repository(below: Project, format: str) -> None:
    in_project = below.run("validate", "--format", format, cwd="ops")
    from_top = below.run("validate", "ops/tasks.d", "--format", format)
    elsewhere = below.run("validate", "../ops/tasks.d/tasks.yaml", "-o", format, cwd="ops")

    for done in (in_project, from_top, elsewhere):
        assert files_named(format, done.out) == {"ops/tasks.d/tasks.yaml"}, str(done)
        assert (done.code, done.err) == (1, "2 problems in 1 of 1 file, 1 warning\n"), str(done)


@pytest.mark.parametrize("format", FORMATS)
def test_without_a_problem_the_document_is_empty_and_whole(below: Project, format: str) -> None:
    below.write("ops/tasks.d/tasks.yaml", GOOD)

    done = below.ok("validate", "--format", format, cwd="ops")

    assert done.err == "No problems: 1 task in 1 file\n"
    assert files_named(format, done.out) == ({"ops/tasks.d/tasks.yaml"} if format == "junit" else set())


def test_warnings_stay_warnings_unless_they_are_to_count(below: Project) -> None:
    below.write("ops/tasks.d/tasks.yaml", BAD.replace("older_then", "older_than"))

    lenient = below.run("validate", "--format", "github", cwd="ops")
    strict = below.run("validate", "--format", "github", "--strict", cwd="ops")

    assert (lenient.code, lenient.out.split(" ")[0]) == (0, "::warning")
    assert (strict.code, strict.out.split(" ")[0]) == (1, "::error")


def test_where_there_is_no_repository_names_are_the_project_s(project: Project) -> None:
    project.write("taskcfg.toml", "")
    project.write("tasks.d/tasks.yaml", BAD)

    assert files_named("github", project.run("validate", "-o", "github").out) == {"tasks.d/tasks.yaml"}


def test_names_beyond_ascii_reach_every_terminal(below: Project) -> None:
    below.write("ops/tasks.d/tasks.yaml", BAD.replace("nightly", "nächtlich"))

    def said(format: str) -> Finished:
        return below.run("validate", "-o", format, cwd="ops", env={"LC_ALL": "C", "PYTHONUTF8": "0"})

    assert "title=taskcfg%3A nächtlich" in said("github").out
    assert {len(json.loads(said("gitlab").out)), len(ElementTree.fromstring(said("junit").out))} == {3, 1}


def test_a_folder_that_cannot_be_read_is_an_error_and_no_document(tmp_path: Path, project: Project) -> None:
    done = project.run("validate", "--format", "sarif")

    assert (done.code, done.out) == (1, "")
    assert "no such file" in done.err
