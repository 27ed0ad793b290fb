"""`taskcfg schema`, as its readers read it: check-jsonschema in CI, yaml-language-server in editors."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from acceptance.project import Project
from language_server import LanguageServer, installed
from services.required import resolve_or_skip

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

TYPES = '''\
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from taskcfg import Params, task_type


class Size(Enum):
    SMALL = "small"


class Column(Params):
    name: str = Field(min_length=2)
    width: int = Field(default=3, ge=3)


class ReportParams(Params):
    recipients: list[str] = Field(min_length=1, description="Who gets it")
    window: timedelta = timedelta(days=7)
    form: Literal["pdf", "html"] = "pdf"
    size: Size = Size.SMALL
    columns: list[Column] = Field(default_factory=list)
    share: float = Field(default=0.5, le=1)
    quiet: bool = False
    folder: Path | None = None
    days: set[int] = Field(default_factory=set)
    count: Annotated[int, BeforeValidator(lambda value: int(str(value).removeprefix("#")))] = 1


@task_type("report")
def report(params: ReportParams) -> None:
    """Build and send the report."""
'''

# What needs our own reader: what may be inherited, what depends on the environment, what a type checks.
UNSEEN = (
    "alias-to-key bomb celery-tasks deep env-malformed env-not-set env-not-utf-8 nul-escape"
    " renamed-from-defaults schedule-windows secret-malformed secret-not-text secret-outside-params utf-16"
)
# What is no YAML for other readers either, or more than one document.
UNREADABLE = (
    "anchored colon control-characters cron-unquoted cron-unquoted-nickname documents-anchors documents-end"
    " documents-idle-defaults documents-names-twice documents-syntax indentation keys-twice names-twice"
    " not-utf-8 own-keys tabs tags unclosed-bracket unclosed-quote undefined-alias"
)
TOO_MUCH = {"cycle"}  # an endless value ends check-jsonschema


@pytest.fixture
def own(project: Project) -> Project:
    project.write("taskcfg.toml", 'types = ["reports"]\n')
    project.write("reports.py", TYPES)
    return project


def checked(project: Project, files: Sequence[Path], cwd: str = ".") -> Any:
    """Return what check-jsonschema finds in *files*, as JSON, with the types of the project in *cwd*."""
    schema = project.write("schema.json", project.ok("schema", cwd=cwd).out)
    words = [
        str(Path(sys.executable).with_name("check-jsonschema")),
        "-o",
        "json",
        "--schemafile",
        str(schema),
    ]
    done = subprocess.run(
        [*words, *map(str, files)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


def errors(project: Project, text: str) -> list[str]:
    found = checked(project, [project.write("tasks.d/a.yaml", text)])
    assert found.get("parse_errors", []) == []
    return sorted(f"{each['path']}: {each['message']}" for each in found.get("errors", []))


def documents(file: Path, folder: Path) -> Iterator[Path]:
    """Yield a file for each document in *file*: check-jsonschema reads one."""
    for number, text in enumerate(
        re.split(r"^(?:---.*|\.\.\.)$", file.read_text(encoding="utf-8"), flags=re.M)
    ):
        part = folder / f"{file.stem}-{number}.yaml"
        part.write_text(text, encoding="utf-8")
        yield part


EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/tasks.d"))


@pytest.mark.parametrize("folder", [DATA / "good", ROOT, *EXAMPLES], ids=lambda folder: folder.name)
def test_every_right_file_passes(folder: Path, project: Project) -> None:
    tasks = folder / "tasks.d" if folder != DATA / "good" else folder
    shown = [path for path in tasks.rglob("*.yaml") if not path.name.startswith("_")]

    if folder.name == "own-types":  # whose package announces them where it is installed
        project.env |= {"PYTHONPATH": str(folder / "src"), "TASKCFG_TYPES": "bookkeeping.types"}

    parts = [part for path in shown for part in documents(path, project.folder)]
    found = checked(project, parts, cwd=str(tasks))

    assert found["status"] == "ok", found
    assert shown


def test_of_the_wrong_files_it_sees_all_but_these(project: Project) -> None:
    files = {path.stem: path for path in (DATA / "bad").glob("*.yaml") if path.stem not in TOO_MUCH}

    found = checked(project, list(files.values()))

    assert {Path(each["filename"]).stem for each in found["parse_errors"]} == set(UNREADABLE.split())
    seen = {Path(each["filename"]).stem for each in found["errors"]}
    assert set(files) - set(UNREADABLE.split()) - seen == set(UNSEEN.split())


def test_an_error_says_exactly_what_is_wrong(own: Project) -> None:
    found = errors(
        own,
        """\
tasks:
  two words: {type: cleanup, schedule: manual}
  a:
    type: report
    shedule: manual
    priority: 12
    timeout: 1:30
    enabled: yes
    overlap: whait
    params: {recipients: [], form: doc, columns: [{name: x, width: 2}], windw: 5m, quiet: perhaps}
  b: {type: repport, schedule: {every: 5m, cron: "0 3 * * *"}}
""",
    )

    assert found == [
        "$.tasks.a.enabled: 'yes' is not of type 'boolean', 'null'",
        "$.tasks.a.overlap: 'whait' is not one of ['skip', 'wait', 'allow', 'replace', None]",
        "$.tasks.a.params.columns[0].name: 'x' is too short",
        "$.tasks.a.params.columns[0].width: 2 is less than the minimum of 3",
        "$.tasks.a.params.form: 'doc' is not one of ['pdf', 'html']",
        "$.tasks.a.params.quiet: 'perhaps' does not match "
        "'^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|[Yy]|[Nn]|[Tt]|[Ff]|0|1)$'",
        "$.tasks.a.params.recipients: [] should be non-empty",
        "$.tasks.a.params: Additional properties are not allowed ('windw' was unexpected)",
        "$.tasks.a.priority: 12 is greater than the maximum of 9",
        "$.tasks.a.timeout: '1:30' does not match '^\\\\s*(([0-9.]+[wdhms])+|[0-9.]+|P[0-9.WDTHMS]+)\\\\s*$'",
        "$.tasks.a: Additional properties are not allowed ('shedule' was unexpected)",
        "$.tasks.b.schedule: False schema does not allow '0 3 * * *'",
        "$.tasks.b.schedule: False schema does not allow '5m'",
        "$.tasks.b.type: 'repport' is not one of ['celery', 'cleanup', 'http', 'report']",
        "$.tasks: 'two words' does not match "
        "'^[\\\\p{L}\\\\p{N}]([\\\\p{L}\\\\p{N}\\\\p{M}._-]*[\\\\p{L}\\\\p{N}\\\\p{M}])?$'",
    ]


def test_what_the_params_of_one_s_own_types_take_is_right_for_the_schema_too(own: Project) -> None:
    text = """\
defaults: {params: {recipients: [a]}}
tasks:
  a:
    type: report
    schedule: manual
    params:
      window: PT15M
      form: ${env:FORM:-html}
      columns: [{name: "${env:NAME:-ab}", width: "7"}]
      share: "0.25"
      quiet: "off"
      folder: /tmp
      days: [1, 1]
      count: "#3"
  b: {type: "${env:TYPE:-report}", schedule: manual, params: {share: 1, quiet: 1, window: 90}}
"""
    own.write("tasks.d/a.yaml", text)

    assert own.ok("validate").out == "No problems: 2 tasks in 1 file\n"
    assert errors(own, text) == []


def test_it_is_written_where_the_modeline_looks(own: Project) -> None:
    said = own.ok("schema").json

    first = own.ok("schema", "--write", "-o", "json").json
    own.write("reports.py", TYPES.replace('"report"', '"report-of-the-week"'))
    own.ok("schema", "--write")

    assert first == {"file": str(own.folder / ".taskcfg" / "schema.json")}
    written = json.loads(own.read(".taskcfg/schema.json"))
    assert said["$defs"].keys() - written["$defs"].keys() == {
        "params.report",
        "params.report.Column",
        "params.report.Size",
    }
    assert [path.name for path in (own.folder / ".taskcfg").iterdir()] == ["schema.json"]


@pytest.fixture(scope="module")
def program() -> Path:
    return resolve_or_skip("editor", installed)


@pytest.fixture
def server(program: Path, own: Project) -> Iterator[LanguageServer]:
    own.ok("schema", "--write")
    with LanguageServer(program, own.folder / ".taskcfg" / "schema.json") as server:
        yield server


def test_an_editor_marks_mistakes_completes_and_explains(server: LanguageServer) -> None:
    task = "tasks:\n  a:\n    type: report\n    schedule: manual\n"

    wrong = server.diagnostics(
        f"{task}    priority: 12\n    timeout: 1:30\n    params: {{recipient: [a], form: doc}}\n"
    )

    assert wrong == [
        "5:15: Value is above the maximum of 9.",
        "6:14: expected a duration such as 90s, 15m, 6h, 30d, 1h30m, PT15M or a number of seconds",
        '7:36: Value is not accepted. Valid values: "pdf", "html".',
        "7:14: Property recipient is not allowed.",
    ]
    assert server.diagnostics(task) == []
    assert server.completions("tasks:\n  a:\n    type: |\n") == ["celery", "cleanup", "http", "report"]
    assert {"recipients", "window", "form", "columns"} <= set(
        server.completions(f"{task}    params:\n      |\n")
    )
    assert server.completions(f"{task}    params:\n      form: |\n") == ["pdf", "html"]
    assert {"timeout", "labels", "retry"} <= set(server.completions(f"{task}    |\n"))
    assert "An attempt is stopped after it" in server.hover(f"{task}    time|out: 5m\n")
    assert "Who gets it" in server.hover(f"{task}    params:\n      reci|pients: [a]\n")


def test_an_editor_marks_nothing_in_right_files(server: LanguageServer) -> None:
    marked = {
        path.name: found
        for path in sorted((DATA / "good").glob("*.yaml"))
        if (found := server.diagnostics(path.read_text(encoding="utf-8")))
    }

    assert marked == {"documents.yaml": ['3:10: Unused anchor "&hooks"']}
