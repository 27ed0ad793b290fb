"""A mistake in the files must not be able to stop every schedule."""

import pytest

from taskcfg.errors import NameTaken, UnsafePlan
from taskcfg.reconcile.guard import Limits, check_owners, check_safe
from taskcfg.reconcile.plan import Plan, build_plan
from taskcfg.reconcile.state import LiveTask
from taskcfg.testing import make_spec


def plan_of(live: int, kept: int) -> Plan:
    """Return the plan for files that still declare *kept* of *live* tasks."""
    specs = {f"t{number:03}": make_spec(f"t{number:03}") for number in range(live)}
    rows = {name: LiveTask(1, name, spec.digest, 1, 1) for name, spec in specs.items()}
    return build_plan("main", dict(list(specs.items())[:kept]), rows)


def test_files_without_any_task_are_refused_while_the_source_has_tasks() -> None:
    with pytest.raises(UnsafePlan) as refused:
        check_safe(plan_of(1, kept=0), Limits())

    assert refused.value.message == "the files declare no task, but source `main` has 1: all would be deleted"
    assert refused.value.hint == "if this is meant, say so with `--allow-empty`"


def test_nothing_declared_and_nothing_live_is_fine() -> None:
    check_safe(plan_of(0, kept=0), Limits())


def test_allow_empty_says_yes_to_deleting_all() -> None:
    check_safe(plan_of(50, kept=0), Limits(allow_empty=True))


@pytest.mark.parametrize(("live", "most"), [(1, 3), (4, 3), (15, 3), (20, 4), (100, 20), (104, 20)])
def test_at_most_three_or_a_fifth_of_the_tasks_may_be_deleted(live: int, most: int) -> None:
    assert Limits().deletes_of(live) == most

    check_safe(plan_of(live, kept=max(live - most, 1)), Limits())
    if live - most > 1:
        with pytest.raises(UnsafePlan):
            check_safe(plan_of(live, kept=live - most - 1), Limits())


def test_a_refusal_names_the_flag_with_the_number_that_would_do() -> None:
    with pytest.raises(UnsafePlan) as refused:
        check_safe(plan_of(10, kept=5), Limits())

    assert refused.value.message == "5 tasks of 10 would be deleted; at most 3 may be"
    assert refused.value.flag == "--max-delete 5"
    check_safe(plan_of(10, kept=5), Limits(max_delete=5))


def test_max_delete_also_makes_the_limit_smaller() -> None:
    with pytest.raises(UnsafePlan):
        check_safe(plan_of(10, kept=9), Limits(max_delete=0))


def test_a_name_of_another_source_is_not_taken() -> None:
    check_owners({"a": "main", "b": "main"}, "main")

    with pytest.raises(NameTaken) as taken:
        check_owners({"a": "main", "b": "teamb"}, "main")

    assert taken.value.message == "task `b` belongs to source `teamb`: source `main` cannot declare it too"
