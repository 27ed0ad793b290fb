"""Two states to a plan: the shortest list of changes, in an order that is safe."""

from collections.abc import Mapping
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from taskcfg.reconcile.plan import (
    Create,
    Delete,
    FieldChange,
    Update,
    bearers,
    build_plan,
    differing,
    field_changes,
    names_not_live,
)
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.schedule import Cron, Every, Manual
from taskcfg.spec.task import TaskSpec
from taskcfg.testing import make_spec

names = st.sampled_from("abcdef")
states = st.dictionaries(names, st.integers(1, 3))


def desired(*specs: TaskSpec) -> dict[str, TaskSpec]:
    return {spec.name: spec for spec in specs}


def live(*specs: TaskSpec) -> dict[str, LiveTask]:
    return {
        spec.name: LiveTask(number, spec.name, spec.digest, version=1, applied_version=1, spec=spec)
        for number, spec in enumerate(specs, start=1)
    }


def hourly(state: Mapping[str, int]) -> list[TaskSpec]:
    return [make_spec(name, schedule=Every(timedelta(hours=hours))) for name, hours in state.items()]


def test_deletes_come_before_creates_so_a_renamed_task_never_runs_twice() -> None:
    plan = build_plan("main", desired(make_spec("new")), live(make_spec("old")))

    assert [type(change) for change in plan.changes] == [Delete, Create]


def test_equal_specs_are_no_change_wherever_they_stand() -> None:
    plan = build_plan("main", desired(make_spec("b"), make_spec("a")), live(make_spec("a"), make_spec("b")))

    assert not plan.has_changes
    assert plan.unchanged == ("a", "b")


def test_a_retired_task_of_that_name_is_restored_not_made_anew() -> None:
    plan = build_plan("main", desired(make_spec("a")), {}, retired={"a": 7})

    assert plan.changes == (Create(make_spec("a"), restores=7),)


@given(states, states)
def test_a_plan_carried_out_gives_the_desired_state(before: dict[str, int], after: dict[str, int]) -> None:
    plan = build_plan("main", desired(*hourly(after)), live(*hourly(before)))

    state = desired(*hourly(before))
    for change in plan.changes:
        match change:
            case Delete():
                del state[change.name]
            case Create(spec) | Update(_, spec):
                state[change.name] = spec
    assert state == desired(*hourly(after))


@given(states, states)
def test_a_plan_touches_no_task_twice_and_none_that_is_as_it_should_be(
    before: dict[str, int], after: dict[str, int]
) -> None:
    plan = build_plan("main", desired(*hourly(after)), live(*hourly(before)))

    touched = [change.name for change in plan.changes]
    same = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    assert len(touched) == len(set(touched))
    assert set(touched) | same == before.keys() | after.keys()
    assert set(plan.unchanged) == same


@given(states, states)
def test_the_order_of_reading_changes_nothing(before: dict[str, int], after: dict[str, int]) -> None:
    rows = live(*hourly(before))
    plan = build_plan("main", desired(*hourly(after)), rows)
    backwards = build_plan("main", desired(*reversed(hourly(after))), dict(reversed(list(rows.items()))))

    assert plan == backwards


def test_the_rows_whose_specs_a_plan_needs_are_those_it_will_change() -> None:
    rows = live(make_spec("gone"), make_spec("same"), make_spec("other"))
    wanted = desired(make_spec("same"), make_spec("other", queue="slow"), make_spec("new"))

    assert differing(wanted, rows, bearers(wanted, rows)) == [rows["gone"].id, rows["other"].id]
    assert names_not_live(wanted, rows) == ["new"]


def test_fields_are_named_by_their_path_in_the_task_file() -> None:
    before = make_spec(schedule=Cron("0 2 * * *"), labels={"team": "a"})
    after = make_spec(
        schedule=Cron("30 1 * * *"), labels={"team": "a", "tier": "2"}, policy=Policy(retry=Retry(attempts=3))
    )

    assert field_changes(before, after) == (
        FieldChange("schedule.cron", "0 2 * * *", "30 1 * * *"),
        FieldChange("retry.attempts", 1, 3),
        FieldChange("labels.tier", None, "2"),
    )


def test_a_schedule_that_becomes_manual_changes_as_a_whole() -> None:
    assert field_changes(make_spec(), make_spec(schedule=Manual())) == (
        FieldChange("schedule", {"every": 3600}, "manual"),
    )


def test_values_that_python_takes_for_equal_but_json_does_not_are_a_change() -> None:
    assert field_changes(make_spec(params={"x": 1}), make_spec(params={"x": True})) == (
        FieldChange("params.x", 1, True),
    )
    assert field_changes(make_spec(params={"x": None}), make_spec(params={})) == (
        FieldChange("params.x", None, None),
    )


def test_a_row_that_cannot_be_read_is_updated_without_naming_fields() -> None:
    unreadable = LiveTask(1, "a", digest="?", version=1, applied_version=1)

    plan = build_plan("main", desired(make_spec("a")), {"a": unreadable})

    assert plan.changes == (Update(unreadable, make_spec("a"), ()),)


def test_plans_that_do_the_same_have_the_same_fingerprint_and_others_do_not() -> None:
    def fingerprint(wanted: TaskSpec, row: LiveTask) -> object:
        return build_plan("main", desired(wanted), {row.name: row}).fingerprint

    row = live(make_spec("a"))["a"]
    moved = LiveTask(row.id, "a", make_spec("a", queue="q").digest, version=2, applied_version=1)

    assert fingerprint(make_spec("a", queue="slow"), row) == fingerprint(make_spec("a", queue="slow"), row)
    assert fingerprint(make_spec("a", queue="slow"), row) != fingerprint(make_spec("a", queue="fast"), row)
    assert fingerprint(make_spec("a", queue="slow"), row) != fingerprint(make_spec("a", queue="slow"), moved)


def test_the_summary_counts_every_task_once() -> None:
    plan = build_plan(
        "main",
        desired(make_spec("same"), make_spec("edited", queue="q"), make_spec("new"), make_spec("newer")),
        live(make_spec("same"), make_spec("edited"), make_spec("gone")),
    )

    total = plan.summary
    assert (total.add, total.change, total.delete, total.rename, total.unchanged) == (2, 1, 1, 0, 1)
    assert (plan.live, plan.declared) == (3, 4)
