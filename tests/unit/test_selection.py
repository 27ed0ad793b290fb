"""Which tasks are meant: names and globs, labels in Kubernetes' grammar, types, states."""

import pytest

from taskcfg.control.offline_names import chosen
from taskcfg.errors import UnknownTask
from taskcfg.spec.labels import parse_labels
from taskcfg.spec.selection import LIVE_TASK_STATES, STATES, Selection
from taskcfg.spec.task import TaskState
from taskcfg.testing import make_spec
from taskcfg_cli import options

LABELS = {"team": "platform", "tier": "2", "note": "two words"}


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ("team=platform", True),
        ("team==platform", True),
        (" team = platform ", True),
        ("team=web", False),
        ("team!=web", True),
        ("team!=platform", False),
        ("owner!=ann", True),
        ("team in (web, platform)", True),
        ("team in (web)", False),
        ("team notin (web)", True),
        ("owner notin (ann)", True),
        ("team", True),
        ("owner", False),
        ("!owner", True),
        ("! team", False),
        ("team in (web,platform),tier=2,!owner", True),
        ("team=platform,tier=3", False),
        ("note=two words", True),
        ("owner=", False),
        ("in", False),
    ],
)
def test_a_label_selector_means_what_it_means_to_kubernetes(selector: str, holds: bool) -> None:
    assert all(requirement.matches(LABELS) for requirement in parse_labels(selector)) is holds


@pytest.mark.parametrize(
    "text", ["", ",", "team=a,", "team in a", "team in (a", "=a", "team(a)", "a b", "team in ((a))"]
)
def test_what_is_no_label_selector_is_said_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a label selector such as `team=platform`"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ([], ["billing.daily", "billing.weekly", "mail", "Über"]),
        (["mail"], ["mail"]),
        (["billing.*"], ["billing.daily", "billing.weekly"]),
        (["*.[dw]*ly", "mail"], ["billing.daily", "billing.weekly", "mail"]),
        (["m?il"], ["mail"]),
        (["U\u0308ber"], ["Über"]),
        (["billing"], []),
        (["*(*"], []),
    ],
)
def test_names_are_whole_names_or_globs(names: list[str], meant: list[str]) -> None:
    selection = Selection.of(names)

    found = [name for name in ["billing.daily", "billing.weekly", "mail", "Über"]
             if selection.matches(name, "http", {})]  # fmt: skip

    assert found == meant


def test_every_part_that_is_given_must_hold() -> None:
    selection = Selection.of(["a*"], labels=["team=x", "tier"], types=["http", "email"])

    assert selection.matches("ab", "email", {"team": "x", "tier": "1"})
    assert not selection.matches("b", "email", {"team": "x", "tier": "1"})
    assert not selection.matches("ab", "cleanup", {"team": "x", "tier": "1"})
    assert not selection.matches("ab", "http", {"team": "x"})


def test_retired_tasks_are_meant_only_when_they_are_asked_for() -> None:
    assert Selection().wanted_states == LIVE_TASK_STATES
    assert Selection.of(states=["paused", "retired"]).wanted_states == (TaskState.PAUSED, TaskState.RETIRED)
    assert Selection.of(states=["all"]).wanted_states == tuple(TaskState)
    assert sorted(options.STATES) == sorted(STATES)


def test_tasks_of_files_stand_in_the_order_they_were_asked_for() -> None:
    specs = {name: make_spec(name) for name in ("a", "b1", "b2")}

    assert list(chosen(specs, Selection.of(["b*", "a"]))) == ["a", "b1", "b2"]
    assert list(chosen(specs, Selection.of(["b2", "a"]))) == ["b2", "a"]
    with pytest.raises(UnknownTask) as error:
        chosen(specs, Selection.of(["bb2"]))
    assert error.value.hint == "did you mean `b2`?"
