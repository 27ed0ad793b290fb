"""What is written for a task reads as the same task."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.source.formatting.layout import formatted
from taskcfg.source.loader import load_text
from taskcfg.source.references import escaped
from taskcfg.source.writing import declaration_of, file_text
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import At, Cron, Every, Manual
from taskcfg.spec.secrets import literal
from taskcfg.spec.task import TaskSpec
from taskcfg.types import Params, task_type
from taskcfg.types.registry import Registry, declared


class NoteParams(Params):
    """Anything that JSON can say, and defaults."""

    anything: Any = None
    sizes: tuple[int, ...] = (1, 2)
    window: timedelta = timedelta(days=1)


@task_type("note", timeout="15m", queue="notes", retry={"attempts": 3})
def note(params: NoteParams) -> None:
    """Take a note."""


REGISTRY = Registry([found for found in declared.values() if found.name == "note" and found.function is note])

ODD = (
    *("on", "yes", "null", "~", "", "12:30", "0644", "0o17", "0x1F", "1e3", ".5", "1_000", "=", "<<"),
    *(
        "-",
        "- a",
        "# no",
        "a: b",
        "{a}",
        "[a]",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "'",
        '"',
        "\\",
        " a ",
        "...",
    ),
    *("---", "2026-01-01", "a\n", "a\n\n  b\n", "\t", "a\r\nb", "\u2028", "\ufeff", "é", "日本", "😀"),
    *("$", "$$", "$$$", "${", "${env:HOME}", "$${env:HOME}", "${HOME}", "a$", "${env:A:-b}", "$$${secret:X}"),
)
odd = st.sampled_from(ODD)
letters = st.characters(exclude_categories=["Cs", "Cc"])
texts = st.one_of(odd, st.text(letters, max_size=30), st.lists(odd, max_size=3).map("".join))


def with_a_secret(before: str, after: str) -> str:
    """Return the stored form of a reference between two texts: a `$` right before it is doubled."""
    dollars = before[len(before.rstrip("$")) :]
    return f"{literal(before)}{dollars}${{secret:KEY}}{literal(after)}"


secrets = st.builds(with_a_secret, texts, texts)
stored_texts = st.one_of(texts.map(literal), secrets)
numbers = st.one_of(st.integers(-(2**60), 2**60), st.floats(-1e15, 1e15))
leaves = st.one_of(st.none(), st.booleans(), numbers, stored_texts)
keys = texts.filter(lambda text: "${" not in text and text != "<<")
json_values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
durations = st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds))
schedules = st.one_of(
    st.just(Manual()),
    st.sampled_from(["0 3 * * *", "*/5 9-17 * * MON-FRI", "0 0 L * *"]).map(Cron),
    st.builds(
        Every,
        durations,
        st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 3, tzinfo=UTC)]),
    ),
    st.just(At((datetime(2099, 1, 1, tzinfo=UTC), datetime(2099, 6, 1, 12, 30, tzinfo=UTC)))),
)
longest = timedelta(days=200)
retries = st.builds(
    lambda attempts, delay, backoff, jitter: Retry(attempts, delay, backoff, longest, jitter),
    st.integers(1, 20),
    durations,
    st.sampled_from(Backoff),
    st.booleans(),
)
policies = st.builds(
    Policy,
    timeout=st.one_of(st.none(), durations),
    retry=retries,
    overlap=st.sampled_from([Overlap(), Overlap(OverlapMode.ALLOW)]),
    catch_up=st.sampled_from([CatchUp.NONE, CatchUp.LATEST]),
    expires=st.one_of(st.none(), durations),
    delivery=st.sampled_from(Delivery),
)
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)
specs = st.builds(
    TaskSpec,
    name=st.sampled_from(["a", "123", "on", "billing.nightly", "täglich", "null"]),
    type=st.just("note"),
    schedule=schedules,
    params=st.fixed_dictionaries({"anything": json_values}),
    timezone=st.sampled_from(["UTC", "Europe/Berlin"]),
    policy=policies,
    description=st.one_of(st.none(), texts.filter(str.strip)),
    labels=st.dictionaries(st.sampled_from(["team", "a/b"]), st.sampled_from(["platform", "2", "on"])),
    enabled=st.booleans(),
    queue=st.one_of(st.none(), st.just("slow")),
    priority=st.integers(0, 9),
)  # fmt: skip


def canonical(spec: TaskSpec) -> TaskSpec:
    """The spec as a live row has it: params validated, every default resolved."""
    task_type = REGISTRY.named("note")
    return replace(spec, params=task_type.canonical_params(spec.params))


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
