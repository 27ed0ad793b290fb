"""What revisions recorded, read again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from taskcfg.reconcile.past import Revised, blame, recorded_lines, tasks_at

NAMES = st.sampled_from("abcd")


def change(action: str, name: str, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return {"action": action, "name": name, "before": before, "after": after, **more}


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Revised, dict[str, tuple[int, int]]]]:
    """Revisions, each with the state after it: of each name which row it is, and its document.

    A row that was retired may come back under a name, as a rollback does it. The first few revisions may be
    from before ids were noted.
    """
    state: dict[str, tuple[int, int]] = {}
    retired: list[int] = []
    found: list[tuple[Revised, dict[str, tuple[int, int]]]] = []
    noted_from = draw(st.integers(1, 4))
    for number in range(1, draw(st.integers(1, 8)) + 1):
        wanted = draw(st.dictionaries(NAMES, st.integers(0, 3)))
        rows = draw(
            st.permutations(sorted({id_ for id_, _ in state.values()} | {*retired, *range(100, 104)}))
        )
        bearers = dict(zip(wanted, rows, strict=False))
        if number < noted_from:  # the first ones revive nothing, and a row of its own is a new one
            known = {id_ for id_, _ in state.values()}
            bearers = {
                name: id_ if id_ in known else number * 10 + ord(name) for name, id_ in bearers.items()
            }
        before = {id_: (name, value) for name, (id_, value) in state.items()}
        changes = [
            _done(number >= noted_from, name, bearers[name], value, before) for name, value in wanted.items()
        ]
        for name, (id_, value) in state.items():
            if id_ not in bearers.values():
                changes.append(change("delete", name, {"v": value}, None, **_id(number >= noted_from, id_)))
        retired = [id_ for id_ in {*retired, *before} if id_ not in bearers.values()]
        state = {name: (bearers[name], value) for name, value in wanted.items()}
        found.append((Revised(number, "main", draw(st.permutations(changes))), state))
    return found


def _done(noted: bool, name: str, id_: int, value: int, before: dict[int, tuple[str, int]]) -> dict[str, Any]:
    if id_ not in before:
        return change("create", name, None, {"v": value}, **_id(noted, id_))
    old, was = before[id_]
    more = {} if old == name else {"previous": old}
    return change("rename" if more else "update", name, {"v": was}, {"v": value}, **more, **_id(noted, id_))


def _id(noted: bool, id_: int) -> dict[str, int]:
    return {"id": id_} if noted else {}


@given(histories(), st.data())
def test_the_state_at_a_revision_is_what_it_left(
    history: list[tuple[Revised, dict[str, tuple[int, int]]]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(history)))

    found = tasks_at([revised for revised, _ in history], number)

    then = history[number - 1][1]
    assert {task.name: task.document["v"] for task in found} == {n: v for n, (_, v) in then.items()}
    assert all(task.id in (None, then[task.name][0]) for task in found)
    assert len(found) == len(then)


def test_what_other_sources_took_over_is_theirs() -> None:
    history = [
        Revised(1, "main", [change("create", "a", None, {"v": 1}), change("create", "b", None, {"v": 2})]),
        Revised(2, "main", [change("rename", "c", {"v": 1}, {"v": 1}, previous="a", id=1)]),
        Revised(3, "other", [change("update", "c", {"v": 1}, {"v": 3}, previous_source="main", id=1)]),
    ]

    def told(number: int | None) -> set[tuple[str, str, int | None]]:
        return {(task.source, task.name, task.id) for task in tasks_at(history, number)}

    assert told(1) == {("main", "a", None), ("main", "b", None)}
    assert told(2) == {("main", "c", 1), ("main", "b", None)}
    assert told(3) == told(None) == {("other", "c", 1), ("main", "b", None)}
    assert {task.renamed_from for task in tasks_at(history) if task.name == "c"} == {"a"}


def test_blame_names_the_change_that_gave_the_value() -> None:
    changes = [
        change("create", "a", None, {"x": 1, "y": {"z": 1}, "w": 0}),
        change("update", "a", {"x": 1, "y": {"z": 1}, "w": 5}, {"x": 1, "y": {"z": 2}, "w": 5}),
        change("delete", "a", {"x": 1, "y": {"z": 2}, "w": 5}, None),
        change("create", "a", None, {"x": 2, "y": {"z": 2}, "w": 5}),
    ]

    assert [(each.field, each.value, each.change) for each in blame(changes[:2], None)] == [
        ("x", 1, 0),
        ("y.z", 2, 1),
        ("w", 5, None),
    ]
    assert {each.change for each in blame(changes, None)} == {3}
    by_hand = blame(changes[:1], {"x": 1, "y": {"z": 9}, "w": 0})
    assert [(each.field, each.change) for each in by_hand] == [("x", 0), ("y.z", None), ("w", 0)]


def test_a_change_as_lines() -> None:
    changed = change(
        "rename", "b", {"owner": None, "timeout": 60}, {"owner": "me", "timeout": 3600}, previous="a"
    )

    assert recorded_lines(changed) == [
        "  > b renamed (was a)",
        '      owner    null -> "me"',
        "      timeout  1m -> 1h",
    ]
