"""The type `celery`: what is stored, what cannot work, and what the user's own app says of it."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from taskcfg.errors import InvalidSettings
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.fires import message_of
from taskcfg.spec.policy import Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.task import TaskSpec
from taskcfg.types.celery_app import load_app
from taskcfg.types.registry import Registry, types_of

APP = """
from functools import wraps

from celery import Celery, Task

app = Celery("own", broker="memory://", include=["fit_more"])


def timed(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@app.task(shared=False, name="fit.send")
def send(to, subject="hello"): ...

@app.task(shared=False, name="fit.bound", bind=True, autoretry_for=(OSError,))
def bound(self, to): ...

@app.task(shared=False, name="fit.anything")
def anything(*args, **kwargs): ...

@app.task(shared=False, name="fit.loose", typing=False)
def loose(to): ...

@app.task(shared=False, name="fit.timed")
@timed
def wrapped(to): ...

class Classy(Task):
    name = "fit.classy"
    def run(self, days, *, dry=False): ...

app.register_task(Classy())
"""

MORE = """
from celery import shared_task

@shared_task(name="fit.shared")
def shared(to): ...
"""


ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with an app of the user's own. Imported once: Celery remembers shared tasks for good."""
    folder, path = tmp_path_factory.mktemp("own"), list(sys.path)
    (folder / "fit_app.py").write_text(APP)
    (folder / "fit_more.py").write_text(MORE)
    yield load_settings({"celery_app": "fit_app:app"}, environ={}, folder=folder)
    sys.path[:] = path


def spec(task: str, *args: Any, policy: Policy | None = None, **params: Any) -> TaskSpec:
    stored = {"task": task, "args": list(args), "kwargs": {}, **params}
    return TaskSpec("t", "celery", params=stored, policy=policy or Policy())


def misfits(settings: Settings, spec: TaskSpec) -> list[tuple[str, str, str | None]]:
    found = types_of(settings).misfits(spec)
    return [(each.field, each.message, each.hint) for each in found]


def test_only_the_absence_of_a_gate_is_stored_so_that_other_digests_stay_as_they_are() -> None:
    canonical = Registry().named("celery").canonical_params

    assert canonical({"task": "a"}) == {"task": "a", "args": [], "kwargs": {}}
    assert canonical({"task": "a", "gate": True}) == {"task": "a", "args": [], "kwargs": {}}
    assert canonical({"task": "a", "gate": False}) == {"task": "a", "args": [], "kwargs": {}, "gate": False}


def test_without_a_gate_a_message_says_so_and_holds_literals_as_they_are_meant() -> None:
    ungated = message_of(spec("a", "$${secret:X}", gate=False))
    gated = message_of(spec("a", "$${secret:X}"))

    assert (ungated["gate"], ungated["args"]) == (False, ["${secret:X}"])
    assert ("gate" in gated, gated["args"]) == (False, ["$${secret:X}"])


def test_without_a_gate_nothing_is_promised_that_nobody_can_keep(own: Settings) -> None:
    allow = Overlap(OverlapMode.ALLOW)
    fine = Policy(overlap=allow, timeout=timedelta(minutes=1), expires=timedelta(hours=1))

    assert misfits(own, spec("theirs.unknown", policy=fine, gate=False)) == []
    for policy, field in (
        (Policy(), "overlap"),
        (replace(fine, overlap=Overlap(OverlapMode.ALLOW, 2)), "overlap"),
        (replace(fine, retry=Retry(attempts=2)), "retry.attempts"),
        (replace(fine, delivery=Delivery.AT_MOST_ONCE), "delivery"),
    ):
        assert [each[0] for each in misfits(own, spec("theirs", policy=policy, gate=False))] == [field]
    [(field, message, _)] = misfits(own, spec("theirs", "${secret:KEY}", policy=fine, gate=False))
    assert (field, message) == ("params", "with `gate: false` nobody resolves a secret")


@pytest.mark.parametrize(
    "fitting",
    [
        spec("fit.send", "ada"),
        spec("fit.send", kwargs={"to": "ada", "subject": "hi"}),
        spec("fit.bound", "ada"),
        spec("fit.anything", 1, 2, kwargs={"x": 3}),
        spec("fit.loose", 1, 2, 3),
        spec("fit.timed", "ada", kwargs={"window": 3}),
        spec("fit.classy", 3, kwargs={"dry": True}),
        spec("fit.shared", "ada"),
    ],
    ids=lambda fitting: fitting.params["task"],
)
def test_a_task_that_the_app_has_with_arguments_that_fit_is_right(own: Settings, fitting: TaskSpec) -> None:
    assert misfits(own, fitting) == []


@pytest.mark.parametrize(
    ("misfit", "expected"),
    [
        (spec("fit.sned"), ("params.task", "has no such task", "did you mean `fit.send`?")),
        (
            spec("fit.send"),
            ("params", "missing a required argument: 'to'", "it is `fit.send(to, subject='hello')`"),
        ),
        (spec("fit.send", 1, 2, 3), ("params", "too many positional arguments", "it is `fit.send(")),
        (
            spec("fit.send", 1, kwargs={"to": 2}),
            ("params", "multiple values for", "it is `fit.send("),
        ),
        (
            spec("fit.send", 1, kwargs={"subjekt": 2}),
            ("params.kwargs.subjekt", "the task has no argument `subjekt`", "did you mean `subject`?"),
        ),
        (spec("fit.bound"), ("params", "missing a required argument: 'to'", "it is `fit.bound(to)`")),
        (spec("fit.bound", 1, 2), ("params", "too many positional arguments", "it is `fit.bound(to)`")),
        (
            spec("fit.classy", 3, True),
            ("params", "too many positional", "it is `fit.classy(days, *, "),
        ),
        (spec("fit.shared"), ("params", "missing a required argument: 'to'", "it is `fit.shared(to)`")),
        (
            spec("fit.send", gate=False, policy=Policy(overlap=Overlap(OverlapMode.ALLOW))),
            ("params", "'to'", ""),
        ),
    ],
)
def test_a_task_or_arguments_that_the_app_would_refuse_are_named(
    own: Settings, misfit: TaskSpec, expected: tuple[str, str, str]
) -> None:
    [(field, message, hint)] = misfits(own, misfit)

    assert field == expected[0]
    assert expected[1] in message
    assert (hint or "").startswith(expected[2])


def test_an_argument_that_is_missing_for_a_slip_of_the_pen_is_named_once(own: Settings) -> None:
    found = misfits(own, spec("fit.send", kwargs={"too": "ada", "zzz": 1}))

    assert [each[0] for each in found] == ["params.kwargs.too", "params.kwargs.zzz"]


def test_without_an_app_only_the_name_is_looked_at() -> None:
    settings = load_settings(environ={}, folder=Path("/"))

    assert misfits(settings, spec("whatever", 1)) == []
    [(_, message, hint)] = misfits(settings, spec("taskcfg.http"))
    assert (message, hint) == ("`taskcfg.http` is taskcfg's own", "write `type: http` with its params")


def test_what_a_module_prints_while_it_is_imported_goes_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fit_talkative.py").write_text("from celery import Celery\napp = Celery()\nprint('hello')")
    monkeypatch.syspath_prepend(str(tmp_path))

    load_app("fit_talkative:app", tmp_path)

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nowhere_at_all.x", None, "no module is named `nowhere_at_all`"),
        ("{module}:ap", "app = 5", "the module `{module}` has no `ap`"),
        ("{module}:app", "app = 5", "`{module}:app` is no Celery app, but of type `int`"),
        ("{module}", "x = 5", "the module `{module}` holds no Celery app"),
        ("{module}:app", "1 / 0", "cannot be imported: ZeroDivisionError: division by zero ({module}.py:1)"),
        ("{module}:app", "def (", "cannot be imported: SyntaxError"),
        ("{module}:app", "import no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("{module}:app", "\nraise SystemExit(3)", "cannot be imported: SystemExit: 3 ({module}.py:2)"),
        ("{module}", "import os\nos.nothing", "cannot be imported: AttributeError"),
        (
            "{module}:app",
            "from celery import Celery\napp = Celery(include=['gone_module'])",
            "cannot be imported: ModuleNotFoundError: No module named 'gone_module'",
        ),
        ("{module} app", "", "no module is named"),
        ("..:", "", ""),
    ],
)
def test_an_app_that_is_not_there_or_breaks_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str | None, message: str
) -> None:
    module = f"broken_{abs(hash(tmp_path)):x}"
    if code is not None:
        (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(InvalidSettings) as refused:
        load_app(name.replace("{module}", module), tmp_path)

    assert refused.value.message.startswith("celery_app: ")
    assert message.replace("{module}", module) in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("name", ["{package}.celery:app", "{package}.celery", "{package}"])
def test_an_app_is_named_as_celery_itself_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package = f"package_{abs(hash(tmp_path)):x}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "celery.py").write_text("from celery import Celery\napp = Celery('mine')")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert load_app(name.replace("{package}", package), tmp_path).main == "mine"
