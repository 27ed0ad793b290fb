"""`taskcfg types`: what tasks can be here, and a task of each to start from; offline."""

import pytest

from acceptance.project import Project

MODULE = '''\
from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from taskcfg import Params, task_type


class Column(Params):
    name: str
    width: int = Field(ge=3)


class ReportParams(Params):
    """What the weekly report needs."""

    recipients: list[str] = Field(description="Who gets it")
    window: timedelta = timedelta(days=7)
    form: Literal["pdf", "html"]
    column: Column
    homepage: str

    @field_validator("homepage")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("no URL")
        return value


@task_type("report", timeout="15m", queue="reports", retry={"attempts": 3})
def report(params: ReportParams) -> None:
    """Build and send the report.

    More of it.
    """
'''


@pytest.fixture
def own(project: Project) -> Project:
    project.write("taskcfg.toml", 'types = ["reports"]\n')
    project.write("reports.py", MODULE)
    return project


def test_every_registered_type_is_listed_with_what_it_does(own: Project) -> None:
    lines = own.ok("types").out.splitlines()
    found = {line.split()[0]: line.split(maxsplit=3)[1:] for line in lines}

    assert list(found) == ["NAME", "celery", "cleanup", "http", "report"]
    assert found["report"] == ["reports", "taskcfg.report", "Build and send the report."]


def test_one_type_is_shown_with_its_params_and_defaults(own: Project) -> None:
    lines = own.ok("types", "report").out.splitlines()

    assert lines[0] == "report: Build and send the report."
    facts = [line.split() for line in lines]
    assert ["default", "timeout", "900"] in facts
    assert ["default", "queue", "reports"] in facts
    assert ["recipients", "list", "of", "text", "required", "Who", "gets", "it"] in facts
    assert ["window", "duration", "7d", "-"] in facts
    assert ["form", "`pdf`", "or", "`html`", "required", "-"] in facts


def test_the_example_of_every_type_is_valid(own: Project) -> None:
    types = own.ok("types", "-o", "json").json["types"]

    for each in types:
        own.write(f"tasks.d/{each['name']}.yaml", each["example"])
    assert own.ok("validate").out == "No problems: 4 tasks in 4 files\n"
    assert types[-1]["example"] in own.ok("types", "report").out


def test_the_document_has_the_schema_of_the_params(own: Project) -> None:
    (report,) = own.ok("types", "report", "-o", "json").json["types"]

    assert {key: report[key] for key in ("name", "celery_task", "module", "summary")} == {
        "name": "report",
        "celery_task": "taskcfg.report",
        "module": "reports",
        "summary": "Build and send the report.",
    }
    assert report["defaults"]["timeout"] == 900 and report["defaults"]["queue"] == "reports"
    schema = report["params_schema"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["recipients", "form", "column", "homepage"]
    assert schema["properties"]["window"]["default"] == "7d"


def test_an_unknown_type_is_an_error_with_the_one_that_may_be_meant(own: Project) -> None:
    done = own.run("types", "repport")

    assert done.code == 1
    assert done.err == "error: no type is named `repport`\n    did you mean `report`?\n"
