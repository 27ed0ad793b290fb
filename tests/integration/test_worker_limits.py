"""A real worker whose tasks return or raise what is too much: it lives on, and little is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stored import opened
from taskcfg.spec.limits import LONGEST
from workers import Project

TYPES = '''

class Much(Step):
    what: str = ""


class Unshowable:
    def __repr__(self) -> str:
        raise MemoryError("no room")


@task_type("much", timeout="20s")
def much(params: Much) -> object:
    """Return, or raise, more than anybody wants to keep."""
    deep: list[object] = []
    for _ in range(50_000):
        deep = [deep]
    match params.what:
        case "text":
            return "x" * 50_000_000
        case "objects":
            return [object()] * 10_000_000
        case "deep":
            return deep
        case "unshowable":
            return Unshowable()
        case "not a number":
            return {"rate": float("nan")}
        case "odd text":
            return {"text": "a\\0b\\ud800"}
        case _:
            raise ValueError("x" * 20_000_000 + "\\0")
'''


@pytest.fixture
def project(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Project]:
    with opened(postgres_url) as database:
        project = Project(tmp_path, database, postgres_url, rabbitmq_url)
        module = tmp_path / "workertypes.py"
        module.write_text(module.read_text() + TYPES)
        yield project
        project.close()


def test_whatever_a_task_returns_or_raises_the_worker_records_it_and_goes_on(project):
    wanted = ["text", "objects", "deep", "unshowable", "not a number", "odd text", "error"]
    project.start_worker()
    fires = {}
    for what in wanted:
        fires[what] = project.fire("much", what=what)
        project.publish(fires[what])

    rows = {
        what: project.until(fire, ["failed" if what == "error" else "succeeded"])[0]
        for what, fire in fires.items()
    }

    assert {what: row.result for what, row in rows.items() if what not in ("text", "objects", "deep")} == {
        "unshowable": "<Unshowable whose repr raises MemoryError>",
        "not a number": "{'rate': nan}",
        "odd text": {"text": "a\ufffdb\ufffd"},
        "error": None,
    }
    assert rows["text"].result.endswith("x… [cut: 50,000,000 characters in all]")
    assert rows["objects"].result.endswith("… [cut: more than 65,536 characters]")
    assert rows["deep"].result.startswith("[[[")
    assert rows["error"].error.startswith("ValueError: xxx")
    assert rows["error"].error.endswith("x… [cut: 20,000,001 characters in all]")
    assert "characters in all] …" in rows["error"].traceback
    kept = [
        text
        for row in rows.values()
        for text in (row.result, row.error, row.traceback)
        if isinstance(text, str)
    ]
    assert max(len(text) for text in kept) == LONGEST
    assert len({row.boot_id for row in rows.values()}) == 1
    assert len(project.boots()) == 1
