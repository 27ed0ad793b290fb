"""A mistake in the files must not be able to stop every schedule."""

from dataclasses import replace

import pytest

from taskcfg.errors import NameTaken, UnsafePlan
from taskcfg.problems import Position
from taskcfg.reconcile.guard import Limits, check_owners, check_safe
from taskcfg.reconcile.plan import Plan, build_plan
from taskcfg.reconcile.state import LiveTask, Owner, Place, is_elsewhere
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


def test_names_of_another_source_are_not_taken_and_both_places_are_said() -> None:
    ours = {
        "a": make_spec("a", position=Position("tasks.d/a.yaml", 3, 3)),
        "b": make_spec("b"),
    }
    check_owners({}, "main", ours)

    with pytest.raises(NameTaken) as taken:
        check_owners({"b": Owner("teamb"), "a": Owner("teamb", "jobs/z.yaml", 7)}, "main", ours)

    assert taken.value.message == (
        "task `a` belongs to source `teamb` (declared at tasks.d/a.yaml:3, there at jobs/z.yaml:7);"
        " task `b` belongs to source `teamb`: source `main` cannot declare them too"
    )
    assert taken.value.hint is not None
    assert taken.value.hint.endswith("take them over with `--adopt a --adopt b`")


def protected(*names: str) -> Plan:
    """Return the plan that deletes these tasks, which are protected, and one that is not."""
    specs = {name: make_spec(name) for name in (*names, "plain", "kept")}
    rows = {name: LiveTask(1, name, spec.digest, 1, 1, name in names) for name, spec in specs.items()}
    return build_plan("main", {"kept": specs["kept"]}, rows)


def test_protected_tasks_are_deleted_only_by_name() -> None:
    with pytest.raises(UnsafePlan) as refused:
        check_safe(protected("b", "a"), Limits(ignore_protect=frozenset({"c"})))

    assert refused.value.message == "`a`, `b` are protected, and would be deleted"
    assert refused.value.flag == "--ignore-protect a --ignore-protect b"
    check_safe(protected("b", "a"), Limits(ignore_protect=frozenset({"a", "b"})))


def test_allow_empty_says_nothing_of_protected_tasks() -> None:
    plan = replace(protected("a"), declared=0)

    with pytest.raises(UnsafePlan, match="`a` is protected"):
        check_safe(plan, Limits(allow_empty=True))


def test_files_from_another_place_are_refused_where_they_would_change_something() -> None:
    moved = (Place("https://example.org/a.git", "tasks.d"), Place("https://example.org/b.git", "tasks.d"))
    changing, idle = replace(plan_of(5, kept=4), moved=moved), replace(plan_of(5, kept=5), moved=moved)

    with pytest.raises(UnsafePlan) as refused:
        check_safe(changing, Limits())

    assert refused.value.message == (
        "source `main` was applied from tasks.d of https://example.org/a.git before,"
        " and this is tasks.d of https://example.org/b.git"
    )
    assert refused.value.flag == "--adopt-source"
    check_safe(changing, Limits(adopt_source=True))
    check_safe(idle, Limits())


HTTPS = "https://git.example.org/team/tasks.git"


@pytest.mark.parametrize(
    ("before", "now", "other"),
    [
        (Place(HTTPS, "tasks.d"), Place(HTTPS, "tasks.d"), False),
        (Place(HTTPS, "tasks.d"), Place("git@git.example.org:team/tasks", "tasks.d"), False),
        (Place(HTTPS, "tasks.d"), Place("ssh://git@Git.Example.org/team/tasks.git/", "tasks.d"), False),
        (Place(HTTPS, "tasks.d"), Place("https://git.example.org/other/tasks.git", "tasks.d"), True),
        (Place(HTTPS, "tasks.d"), Place(HTTPS, "jobs/tasks.d"), True),
        (Place(HTTPS, "/srv/tasks.d"), Place(HTTPS, "tasks.d"), False),
        (Place("/srv/a", "tasks.d"), Place("/srv/b", "tasks.d"), True),
        (Place(None, "/srv/a/tasks.d"), Place(None, "/srv/b/tasks.d"), True),
        (Place(None, "/srv/a/tasks.d"), Place(None, "/srv/a/tasks.d"), False),
        (Place(HTTPS, "tasks.d"), Place(None, "/app/tasks.d"), False),
        (Place(HTTPS, "tasks.d"), Place(None, "/app/jobs"), True),
        (Place(None, None), Place(HTTPS, "tasks.d"), False),
    ],
)
def test_places_are_other_only_where_it_is_known(before: Place, now: Place, other: bool) -> None:
    assert is_elsewhere(before, now) is other
    assert is_elsewhere(now, before) is other
