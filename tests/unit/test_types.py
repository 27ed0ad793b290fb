"""Declaring types and finding them: clear refusals, no traceback, names that cannot clash."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taskcfg import Fire, Params, task_type
from taskcfg.errors import InvalidType, UnknownType
from taskcfg.spec.policy import Backoff, CatchUp, Overlap, OverlapMode, Retry
from taskcfg.testing import SPRING_FORWARD
from taskcfg.types.declare import TaskType, declared
from taskcfg.types.registry import SHIPPED, Registry, load_types

ID = UUID(int=1)
FIRE = Fire(ID, "weekly", "scheduled", SPRING_FORWARD, SPRING_FORWARD, 1, ID)


class ReportParams(Params):
    """What a report needs."""

    recipients: list[str]
    window: timedelta = timedelta(days=7)


@pytest.fixture(autouse=True)
def forget_types() -> Iterator[None]:
    """Undo what a test declares or imports: both are the whole process's."""
    types, modules, path = dict(declared), set(sys.modules), list(sys.path)
    yield
    shipped = {key: found for key, found in declared.items() if found.module in SHIPPED.values()}
    declared.clear()
    declared.update(types | shipped)  # those are imported only once
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("shop"):
            del sys.modules[name]


def declare(function: Any, name: str = "report", **defaults: Any) -> Any:
    task_type(name, **defaults)(function)
    return list(declared.values())[-1]


def test_a_type_is_a_function_with_typed_params() -> None:
    @task_type("report", timeout="15m", queue="reports")
    def report(params: ReportParams, fire: Fire) -> dict[str, int]:
        """Build and send the report.

        In several steps.
        """
        return {"recipients": len(params.recipients), "attempt": fire.attempt}

    found = list(declared.values())[-1]

    assert (found.name, found.summary, found.queue) == ("report", "Build and send the report.", "reports")
    assert (found.policy.timeout, found.module) == (timedelta(minutes=15), __name__)
    assert found.run({"recipients": ["a", "b"]}, FIRE) == {"recipients": 2, "attempt": 1}
    assert report(ReportParams(recipients=["a"]), FIRE) == {"recipients": 1, "attempt": 1}


def test_a_function_may_do_without_the_fire() -> None:
    def count(*, params: ReportParams, deep: bool = False) -> int:
        return len(params.recipients)

    found = declare(count)

    assert (found.run({"recipients": ["a"]}, FIRE), found.summary) == (1, "")


def test_every_default_of_a_type_is_written_as_in_a_task_file() -> None:
    def report(params: ReportParams) -> None: ...

    found = declare(
        report,
        priority=9,
        retry={"attempts": 3, "delay": "1m", "backoff": "exponential"},
        overlap="allow",
        catch_up="none",
        expires=300,
    )

    assert found.priority == 9
    assert found.policy.retry == Retry(3, timedelta(minutes=1), Backoff.EXPONENTIAL)
    assert (found.policy.overlap, found.policy.catch_up) == (Overlap(OverlapMode.ALLOW), CatchUp.NONE)
    assert found.policy.expires == timedelta(minutes=5)


def no_params() -> None: ...
def bare(params) -> None: ...  # type: ignore[no-untyped-def]  # what is refused
def loose(params: dict[str, Any]) -> None: ...
def positional(params: ReportParams, /) -> None: ...
def demanding(params: ReportParams, database: str) -> None: ...
def unknown(params: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821  # what is refused
async def waiting(params: ReportParams) -> None: ...
def fine(params: "ReportParams") -> None: ...


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (no_params, "it takes no `params`"),
        (bare, "`params` is not annotated with a subclass of Params"),
        (loose, "`params` is not annotated with a subclass of Params"),
        (positional, "nobody fills in its argument `params`"),
        (demanding, "nobody fills in its argument `database`"),
        (unknown, "the annotation of `params` cannot be resolved: name 'Nowhere' is not defined"),
        (waiting, "expected a plain function"),
        (ReportParams, "expected a plain function"),
    ],
)
def test_a_function_that_cannot_be_a_type_is_refused_with_its_place(function: Any, reason: str) -> None:
    with pytest.raises(InvalidType, match=r"type `report` \(.*\): ") as raised:
        declare(function)

    assert reason in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("defaults", "reason"),
    [
        ({"timeout": "soon"}, "timeout: `soon` is not a duration"),
        (
            {"overlap": "wait_all"},
            "overlap: expected `skip` or `wait` or `allow` or `replace`, found `wait_all`",
        ),
        ({"retry": {"attempts": 0}}, "retry.attempts: expected a whole number from 1 to 1000, found `0`"),
        ({"retry": {"tries": 2}}, "retry.tries: unknown field"),
        ({"retry": {"delay": "2h"}}, "retry: longer than `max_delay` (1h)"),
        ({"retry": 3}, "retry: expected a mapping, found `3`"),
        ({"timezone": "UTC"}, "`timezone` is not a default that a type can have"),
    ],
)
def test_a_default_that_cannot_be_used_is_refused(defaults: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidType) as raised:
        declare(fine, **defaults)

    assert reason in raised.value.message


@pytest.mark.parametrize("name", ["", "two words", "a/b", "-a", "a-", "ümlaut"])
def test_a_types_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(InvalidType, match="a type's name has"):
        declare(fine, name)


def test_params_are_closed_and_frozen_and_take_durations_everywhere() -> None:
    class Inner(Params):
        wait: timedelta

    class Outer(Params):
        config: timedelta
        type: timedelta | None = None
        waits: list[timedelta]
        named: dict[str, timedelta]
        inner: Inner | None = None

    found = Outer.model_validate(
        {"config": "1h", "type": 5, "waits": ["PT1M", "0.5s"], "named": {"a": "2w"}, "inner": {"wait": "1d"}}
    )

    assert found.model_dump(mode="json") == {
        "config": 3600,
        "type": 5,
        "waits": [60, 0.5],
        "named": {"a": 1_209_600},
        "inner": {"wait": 86_400},
    }
    assert Outer.model_validate(found.model_dump(mode="json")) == found
    with pytest.raises(ValidationError, match="frozen"):
        found.config = timedelta(0)
    with pytest.raises(ValidationError, match="Extra inputs"):
        Outer.model_validate({"config": "1h", "confg": "1h"})
    with pytest.raises(ValidationError, match="is not a duration"):
        Outer.model_validate({"config": "1:30"})


def test_a_fire_does_not_change() -> None:
    with pytest.raises(AttributeError):
        FIRE.attempt = 2  # type: ignore[misc]  # what is refused


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


TYPE = """\
from taskcfg import Params, task_type

class P(Params):
    size: int = 1

@task_type("{name}")
def run(params: P) -> int:
    "Run {name}."
    return params.size
"""


def test_types_come_from_modules_in_the_projects_folder(tmp_path: Path) -> None:
    write(tmp_path, "shop/__init__.py", "")
    write(tmp_path, "shop/tasks.py", "from shop.reports import run as other\n" + TYPE.format(name="b"))
    write(tmp_path, "shop/reports.py", TYPE.format(name="a"))

    first = load_types(["shop.tasks"], tmp_path)
    again = load_types(["shop.tasks"], tmp_path)

    for registry in (first, again):
        assert registry.names() == ("a", "b", "celery", "cleanup", "http")
        assert registry.named("b").run({"size": 3}, FIRE) == 3


def test_what_a_module_prints_while_imported_does_not_mix_with_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "shop_noisy.py", "print('hello')\n")

    load_types(["shop_noisy"], tmp_path)

    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import json\n1 / 0\n", "ZeroDivisionError: division by zero (shop_broken.py:2)"),
        ("def f(:\n", "SyntaxError: invalid syntax (shop_broken.py, line 1) (shop_broken.py:1)"),
        ("import shop_absent\n", "No module named 'shop_absent' (shop_broken.py:1)"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (shop_broken.py:1)"),
        ("from json import nothing\n", "ImportError: cannot import name 'nothing' from 'json'"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why_and_where(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, "shop_broken.py", text)

    with pytest.raises(InvalidType) as raised:
        load_types(["shop_broken"], tmp_path)

    assert raised.value.message.startswith(
        "module `shop_broken`, which the setting `types` names, cannot be imported: "
    )
    assert reason in raised.value.message
    assert raised.value.hint == "mend the module, or take it out"


@pytest.mark.parametrize("name", ["shop_nowhere", "shop_nowhere.tasks"])
def test_a_module_that_is_not_there_is_told_apart_from_a_broken_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidType, match=f"no module is named `{name}`, which the setting `types` names"):
        load_types([name], tmp_path)


def test_two_types_with_one_name_are_refused_with_both_modules(tmp_path: Path) -> None:
    write(tmp_path, "shop_a.py", TYPE.format(name="same"))
    write(tmp_path, "shop_b.py", TYPE.format(name="same"))
    write(tmp_path, "shop_c.py", TYPE.format(name="http"))

    with pytest.raises(InvalidType, match="two types are named `same`: in shop_a and in shop_b"):
        load_types(["shop_a", "shop_b"], tmp_path)
    with pytest.raises(InvalidType, match=r"two types are named `http`: in .*http and in shop_c"):
        load_types(["shop_c"], tmp_path)


def test_types_come_from_installed_packages_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "shop_plugin.py", TYPE.format(name="plugged"))
    write(
        tmp_path,
        "shop_plugin-1.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: shop-plugin\nVersion: 1.0\n",
    )
    write(tmp_path, "shop_plugin-1.0.dist-info/entry_points.txt", "[taskcfg.types]\nplugged = shop_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert load_types().named("plugged").summary == "Run plugged."

    write(tmp_path, "shop_plugin.py", "1 / 0")
    del sys.modules["shop_plugin"]
    with pytest.raises(InvalidType, match="which the installed package shop-plugin names"):
        load_types()


def test_the_types_that_ship_are_all_there_and_none_is_imported_for_its_name() -> None:
    registry = Registry()

    assert registry.names() == ("celery", "cleanup", "http")
    assert [found.name for found in registry] == ["celery", "cleanup", "http"]
    assert all(found.summary for found in registry)
    assert "http" in registry and "htp" not in registry
    assert registry.find("htp") is None


def test_an_unknown_type_says_what_may_be_meant() -> None:
    registry = Registry()

    for name, hint in (
        ("htp", "did you mean `http`?"),
        ("email", "it comes with a later version of taskcfg"),
        ("warehouse", "the types are `celery`, `cleanup`, `http`"),
    ):
        with pytest.raises(UnknownType) as raised:
            registry.named(name)
        assert (raised.value.message, raised.value.hint) == (f"no type is named `{name}`", hint)


def test_without_a_name_the_decorator_says_so() -> None:
    def report(params: Params) -> None: ...

    with pytest.raises(InvalidType, match="`@task_type` without a name") as raised:
        task_type(report)  # type: ignore[arg-type]  # the mistake

    assert raised.value.hint == 'write `@task_type("report")`, with the name'


def test_params_are_closed_at_every_depth() -> None:
    class Open(BaseModel):
        a: int = 0

    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")
        b: int = 0

    class Bad(Params):
        inside: dict[str, list[Open]]

    class Good(Params):
        inside: dict[str, list[Closed]]

    def bad(params: Bad) -> None: ...
    def good(params: Good) -> None: ...

    bad.__annotations__["params"] = Bad
    good.__annotations__["params"] = Good

    with pytest.raises(InvalidType, match="`Open`, inside its params, ignores fields that it does not know"):
        task_type("open-params")(bad)
    task_type("closed-params")(good)


def test_a_default_that_is_another_one_each_time_is_refused() -> None:
    class Changing(Params):
        token: str = Field(default_factory=lambda: uuid4().hex)
        items: list[str] = Field(default_factory=list)

    changing = TaskType("changing", lambda params: None, Changing, "", "myapp")

    with pytest.raises(ValueError, match="gives another value each time"):
        changing.canonical_params({})
    assert changing.canonical_params({"token": "x"}) == {"token": "x", "items": []}


def test_half_a_character_in_a_default_is_found_before_the_database_refuses_it() -> None:
    class Half(Params):
        text: str = "\ud83d"

    half = TaskType("half", lambda params: None, Half, "", "myapp")

    with pytest.raises(ValueError):
        half.canonical_params({})
