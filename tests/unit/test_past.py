"""What revisions recorded, read again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from taskcfg.reconcile.past import Revised, blame, recorded_lines, state_at

NAMES = st.sampled_from("abcd")


def change(action: str, name: str, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return {"action": action, "name": name, "before": before, "after": after, **more}


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Revised, dict[str, tuple[int, int]]]]:
    """Revisions, each with the state after it: of each name which task it is, and its document."""
    state: dict[str, tuple[int, int]] = {}
    found = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        wanted = draw(st.dictionaries(NAMES, st.integers(0, 3)))
        previous = draw(
            st.dictionaries(st.sampled_from(sorted(wanted) or ["a"]), st.sampled_from(sorted(state) or ["a"]))
        )
        moves = {new: old for new, old in previous.items() if new in wanted and old in state and new != old}
        moves = {new: old for new, old in moves.items() if list(moves.values()).count(old) == 1}
        while taken := {new for new in moves if new in state and new not in moves.values()}:
            moves = {new: old for new, old in moves.items() if new not in taken}
        after = {}
        changes = []
        for name, value in wanted.items():
            old = moves.get(name, name if name in state and name not in moves.values() else None)
            if old is None:
                after[name] = (number * 10 + ord(name), value)
                changes.append(change("create", name, None, {"v": value}))
            else:
                after[name] = (state[old][0], value)
                more = {"previous": old} if old != name else {}
                changes.append(
                    change("rename" if more else "update", name, {"v": state[old][1]}, {"v": value}, **more)
                )
        for name in state.keys() - wanted.keys() - set(moves.values()):
            changes.append(change("delete", name, {"v": state[name][1]}, None))
        state = after
        found.append((Revised(number, "main", changes), state))
    return found


@given(histories(), st.data())
def test_the_state_at_a_revision_is_what_it_left(
    history: list[tuple[Revised, dict[str, tuple[int, int]]]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(history)))

    found = state_at([revised for revised, _ in history], "main", number)

    then, now = history[number - 1][1], history[-1][1]
    assert {name: document["v"] for name, (document, _) in found.items()} == {
        n: v for n, (_, v) in then.items()
    }
    for name, (_, today) in found.items():
        same = [each for each, (task, _) in now.items() if task == then[name][0]]
        assert not same or same == [today]


def test_what_other_sources_took_over_is_theirs() -> None:
    history = [
        Revised(1, "main", [change("create", "a", None, {"v": 1}), change("create", "b", None, {"v": 2})]),
        Revised(2, "other", [change("update", "a", {"v": 1}, {"v": 3}, previous_source="main")]),
    ]

    assert state_at(history, "main", 1).keys() == {"a", "b"}
    assert state_at(history, "main", 2).keys() == state_at(history, "main").keys() == {"b"}
    assert state_at(history, "other", 2).keys() == {"a"}


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
