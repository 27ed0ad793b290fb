"""What is written for a task reads as the same task."""

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spec_strategies import REGISTRY, canonical, specs, texts
from taskcfg.source.formatting.layout import formatted
from taskcfg.source.loader import load_text
from taskcfg.source.references import escaped
from taskcfg.source.writing import declaration_of, file_text
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.schedule import Cron, Every, Manual
from taskcfg.spec.secrets import literal
from taskcfg.spec.task import TaskSpec


@given(specs)
def test_a_written_task_reads_as_the_same(spec: TaskSpec) -> None:
    meant = canonical(spec)

    text = file_text({meant.name: declaration_of(meant, REGISTRY)})
    loaded = load_text(text, REGISTRY)

    assert [problem.text() for problem in loaded.problems if problem.severity == "error"] == [], text
    (found,) = loaded.specs
    assert found.document() == meant.document(), text


@given(st.lists(texts, max_size=4).map("".join))
def test_escaped_text_holds_no_reference_and_reads_as_itself(text: str) -> None:
    quoted = yaml.safe_dump(escaped(text), allow_unicode=True, width=10**6, default_style='"')
    file = f"tasks: {{a: {{type: note, schedule: manual, params: {{anything: {quoted.strip()}}}}}}}"
    loaded = load_text(file, REGISTRY)

    (spec,) = loaded.specs
    assert spec.params["anything"] == literal(text)


def test_only_what_is_no_default_is_written() -> None:
    spec = canonical(
        TaskSpec(
            "a", "note", Every(timedelta(minutes=15)), policy=REGISTRY.named("note").policy, queue="notes"
        )
    )

    assert (
        file_text({"a": declaration_of(spec, REGISTRY)})
        == "tasks:\n  a:\n    type: note\n    schedule:\n      every: 15m\n"
    )


def test_what_clears_a_types_default_is_written() -> None:
    spec = canonical(TaskSpec("a", "note", Manual(), policy=Policy(), params={"sizes": [], "window": "2h"}))

    declaration = declaration_of(spec, REGISTRY)

    assert declaration["timeout"] is None
    assert declaration["queue"] is None
    assert declaration["retry"]["attempts"] == 1
    assert declaration["params"] == {"sizes": [], "window": 7200}


def test_a_type_that_is_not_known_here_keeps_all_its_params() -> None:
    spec = TaskSpec("a", "elsewhere", Cron("0 3 * * *"), params={"x": 1, "y": None})

    assert declaration_of(spec, REGISTRY) == {
        "type": "elsewhere", "schedule": {"cron": "0 3 * * *"}, "params": {"x": 1, "y": None},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["line one\nline two\n", "- not a list\n"])
def test_text_of_several_lines_stays_readable(text: str) -> None:
    spec = TaskSpec("a", "elsewhere", Manual(), description=text)

    assert "description: |" in file_text({"a": declaration_of(spec, REGISTRY)})


def test_no_task_is_a_file_without_tasks() -> None:
    assert file_text({}) == "tasks: {}\n"


def test_what_is_written_is_in_the_canonical_layout() -> None:
    params = {"anything": [{"a": [1, "x\n  y\n"], "b": {}}, ["two", []], "long " * 50], "window": 60.0}
    spec = TaskSpec(
        "nightly",
        "note",
        Cron("0 2 * * *"),
        params=params,
        policy=Policy(timeout=timedelta(minutes=5), retry=Retry(attempts=2)),
        labels={"team": "platform"},
        description="First\nand second\n",
        owner="us",
    )

    text = file_text({name: declaration_of(replace(spec, name=name), REGISTRY) for name in ("a", "b")})

    assert formatted(text) == text
    assert load_text(text, REGISTRY).valid
