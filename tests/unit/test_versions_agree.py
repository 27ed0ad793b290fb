"""What `taskcfg doctor` says of versions that run beside each other."""

from datetime import UTC, datetime
from uuid import uuid4

from taskcfg.control.doctor import versions_agree
from taskcfg.store.nodes import NodeRow

NOW = datetime(2026, 3, 29, tzinfo=UTC)


def node(name: str, version: str, *, alive: bool = True) -> NodeRow:
    return NodeRow(uuid4(), "worker", name, "host", 1, version, None, NOW, NOW, alive)


def test_two_versions_that_are_alive_are_named() -> None:
    (finding,) = versions_agree([node("old", "1.0.0"), node("new", "9.0.0")])

    assert finding.check == "versions"
    assert finding.reason == "several are alive: worker old 1.0.0, worker new 9.0.0"


def test_one_version_and_the_dead_are_nothing_to_say() -> None:
    assert [*versions_agree([node("a", "9.0.0"), node("gone", "1.0.0", alive=False)])] == []
