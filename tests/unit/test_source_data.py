"""Whole task files: broken ones beside the text they must produce, good ones beside their specs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcfg.control.offline import Checked
from taskcfg.problems import Position, Problem
from taskcfg.source.loader import Loaded, load_files, load_text
from taskcfg.types.registry import Registry

DATA = Path(__file__).parents[1] / "data"
BAD = sorted((DATA / "bad").glob("*.yaml"))
GOOD = sorted([*(DATA / "good").glob("*.yaml"), *(DATA / "good").glob("*.yml")])
NOW = datetime(2026, 3, 29, tzinfo=UTC)

ENVIRONMENT = {
    "HOST": "hooks.example.org",
    "PRIORITY": "7",
    "EMPTY": "",
    "SHORT": "0s",
    "SECRETIVE": "hunter2-hunter2",
    "DOLLARS": "a$$b ${secret:X} $",
    "NOT_UTF_8": "caf\udce9",
}

REGISTRY = Registry()


def validated(loaded: Loaded) -> str:
    """Return what `taskcfg validate` prints."""
    checked = Checked(loaded.files, loaded.tasks, loaded.problems)
    return "".join(f"{problem.text()}\n" for problem in loaded.problems) + f"{checked.total()}\n"


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_broken_file_produces_exactly_this_text(file: Path) -> None:
    loaded = load_files([file], REGISTRY, root=file.parent, now=NOW, environment=ENVIRONMENT)

    assert not loaded.valid
    assert validated(loaded) == file.with_suffix(".txt").read_text(encoding="utf-8")


def test_there_are_broken_files_enough_and_each_has_its_text() -> None:
    assert len(BAD) >= 64
    assert {file.stem for file in BAD} == {file.stem for file in (DATA / "bad").glob("*.txt")}


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_file_declares_exactly_these_tasks(file: Path) -> None:
    loaded = load_files([file], REGISTRY, root=file.parent, now=NOW, environment=ENVIRONMENT)

    assert [problem.text() for problem in loaded.problems] == []
    found = {spec.name: {**spec.document(), "position": str(spec.position)} for spec in loaded.specs}
    assert found == json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))


PIECES = [
    *("\t", "\0", "\x07", "\xff", "\ud7ff", "\N{PARTY POPPER}", "\N{BYTE ORDER MARK}", "\u2028", "\r", "\n"),
    *("&a ", "*a", "!!int ", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "? ", "- ", ": ", "#", '"', "'"),
    *("{", "}", "[", "]", ",", "~", "null", "yes", "0644", "1:30", ".inf", "1e999", "9" * 400, "1e22"),
    *("${env:X}", "${secret:X}", "$$", "@daily", "H H * * *", "0 0 30 2 *", "* * * * * *", "2099-01-01"),
    *("tasks:", "defaults:", "schedule:", "params:", "retry:", "type:", "every:", "at:", "cron:", "anchor:"),
    *("http", "celery", "cleanup", "files", "labels: {}", "overlap: wait", "[" * 60, "{a: " * 60),
]  # fmt: skip


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """Return a good file with a few pieces cut, doubled, moved or put in."""
    content = draw(st.sampled_from(GOOD)).read_bytes()
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 30)))
        piece = draw(
            st.one_of(
                st.sampled_from(PIECES).map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.binary(max_size=4),
                st.just(content[start:end]),
                st.just(b""),
            )
        )
        keep = draw(st.booleans())
        content = content[:start] + piece + content[start if keep else end :]
    return content


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_files())
def test_whatever_a_file_holds_the_answer_is_specs_and_problems(content: bytes) -> None:
    loaded = load_text(content, REGISTRY, now=NOW)

    assert loaded.files == 1
    assert len(loaded.specs) <= loaded.tasks
    assert not loaded.valid or len(loaded.specs) == loaded.tasks
    lines = content.replace(b"\r\n", b"\n").count(b"\n") + 2
    for problem in loaded.problems:
        assert isinstance(problem, Problem) and problem.message and problem.text()
        assert isinstance(problem.position, Position) and problem.position.file == "<stdin>"
        assert problem.position.line <= lines + content.count(b"\r") + content.count("\u2028".encode()) * 2
    for spec in loaded.specs:
        assert len(spec.digest) == 64


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_read_without_a_traceback(content: bytes) -> None:
    loaded = load_text(content, REGISTRY, now=NOW)

    assert loaded.problems or loaded.tasks == len(loaded.specs)
