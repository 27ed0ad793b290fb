"""The laws of the house, so that nobody has to remember them. The import laws are in pyproject.toml."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine/taskcfg", "cli/taskcfg_cli", "migrations/taskcfg_migrations")

FILE_LINES = 400
FUNCTION_LINES = 40

# Names that say nothing, and `get_` for what costs I/O. The adapters bear their frameworks' names.
FORBIDDEN_WORD = re.compile(r"(Manager|Helper)s?$|^(handle|process)_")
FORBIDDEN_MODULES = {"base", "common", "helper", "helpers", "manager", "util", "utils"}
# methods that SQLAlchemy, click and Pydantic call
THEIRS = {
    "process_bind_param",
    "process_result_value",
    "get_command",
    "handle_invalid_for_json_schema",
    "handle_error",
}
ADAPTERS = ("engine/taskcfg/scheduling/", "engine/taskcfg/transport/")

CLOCK = "engine/taskcfg/clock.py"

# What `--help` and `validate` must never pay for.
HEAVY = {"alembic", "apscheduler", "celery", "httpx", "kombu", "psycopg2", "sqlalchemy", "watchdog"}

# Import names whose distribution is called otherwise, or comes with another that is declared.
DISTRIBUTION = {
    "psycopg2": "psycopg2-binary",
    "yaml": "pyyaml",
    "kombu": "celery",
    "billiard": "celery",
    "amqp": "celery",
    "pydantic_core": "pydantic",
}


@cache
def tracked() -> tuple[str, ...]:
    """Return the paths that git knows or would add."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(path for path in sorted(listed.stdout.splitlines()) if (ROOT / path).is_file())


def sources(*more: str) -> list[str]:
    """Return the paths of the Python files in our packages, and in the folders *more*."""
    return [path for path in tracked() if path.endswith(".py") and path.startswith(PACKAGES + more)]


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def definitions(path: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def imported(path: str) -> Iterator[tuple[int, str]]:
    """Yield line and top-level name of every absolute import, also those inside functions."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources("benchmarks/")
    }

    assert {path: length for path, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    too_long = [
        f"{path}:{node.lineno} {node.name}: {length} lines"
        for path in sources()
        if not path.startswith("migrations/")  # a table's columns are a list, not a length of thought
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]

    assert too_long == []


def test_names_say_what_a_thing_is() -> None:
    empty_words = [
        f"{path}:{node.lineno} {node.name}"
        for path in sources()
        for node in definitions(path)
        if node.name not in THEIRS and says_nothing(node.name, adapter=path.startswith(ADAPTERS))
    ]
    modules = [path for path in sources() if FORBIDDEN_MODULES & set(Path(path).with_suffix("").parts)]

    assert empty_words + modules == []


def says_nothing(name: str, *, adapter: bool) -> bool:
    return bool(FORBIDDEN_WORD.search(name)) or (name.startswith("get_") and not adapter)


def test_only_the_clock_reads_the_time() -> None:
    readers = []
    for path in sources():
        if path == CLOCK:
            continue
        readers += [f"{path}:{line} import time" for line, name in imported(path) if name == "time"]
        readers += [
            f"{path}:{node.lineno} {ast.unparse(node)}"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Attribute)
            and node.attr in {"now", "utcnow", "today"}
            and ast.unparse(node.value).split(".")[-1] in {"datetime", "date"}
        ]

    assert readers == []


def test_no_failure_is_swallowed_whole() -> None:
    swallowed = [
        f"{path}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]

    assert swallowed == []


def test_the_source_roots_are_not_packages() -> None:
    for package in PACKAGES:
        assert not (ROOT / package).with_name("__init__.py").exists()
        assert (ROOT / package / "py.typed").exists()


def test_what_is_imported_is_declared() -> None:
    declared = {normal(text) for text in project()["project"]["dependencies"]}
    ours = {Path(package).name for package in PACKAGES}
    undeclared = [
        f"{path}:{line} {name}"
        for path in sources()
        for line, name in imported(path)
        if name not in ours | sys.stdlib_module_names and DISTRIBUTION.get(name, normal(name)) not in declared
    ]

    assert undeclared == []


def test_every_locked_package_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    requirements = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)

    assert "://" not in lock
    assert [text for text in requirements if text.strip() and "--hash=sha256:" not in text] == []


def test_everything_declared_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {normal(line) for line in lock.splitlines() if "==" in line}
    declared = project()["project"]["dependencies"] + project()["dependency-groups"]["dev"]
    for extra in project()["project"]["optional-dependencies"].values():
        declared += extra

    assert {normal(text) for text in declared} - locked == set()


def test_no_package_host_is_named() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com"]
    named = [path for path in tracked() if any(host.encode() in (ROOT / path).read_bytes() for host in hosts)]

    assert named == []


@pytest.mark.skipif(importlib.util.find_spec("taskcfg_cli.main") is None, reason="no command line yet")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["validate"], ["validate", "tasks.d/a.yaml"], ["fmt"]]
)
def test_help_and_validate_load_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "tasks.d").mkdir()
    (tmp_path / "tasks.d" / "a.yaml").write_text(
        "tasks:\n"
        "  purge:\n"
        "    type: cleanup\n"
        "    schedule: {cron: '30 3 * * *'}\n"
        "    params: {target: execution_history, older_than: 30d}\n"
    )
    program = (
        "import sys\n"
        f"sys.argv = ['taskcfg', *{arguments!r}]\n"
        "from taskcfg_cli.main import main\n"
        "try:\n"
        "    code = main()\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        f"print(code or 0, *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines()[-1] == "0", done.stderr


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normal(requirement: str) -> str:
    """Return the normalised name of the distribution that a requirement asks for."""
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name.group() if name else "").lower()
