"""Task specs of every kind, and a type whose params may be anything: strategies for properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

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
