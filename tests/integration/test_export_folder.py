"""A database written out as a folder of task files is the same tasks again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedule_strategies import CALENDARS
from spec_strategies import REGISTRY, canonical, specs
from stored import World
from taskcfg.control import export_folder as exporting
from taskcfg.control.export_folder import ExportedFolder, export_folder
from taskcfg.errors import TaskcfgError
from taskcfg.problems import Position
from taskcfg.reconcile.guard import Limits
from taskcfg.settings import Settings, load_settings
from taskcfg.source.environments import Environments
from taskcfg.source.loader import Loaded, load_folder
from taskcfg.spec.schedule import Cron, Every, qualified, union
from taskcfg.spec.task import TaskSpec
from taskcfg.store.database import reading
from taskcfg.store.task_list import task_rows
from taskcfg.sync import Approval, Desired, apply_desired, make_plan

ANYTHING = Limits(max_delete=1000, allow_empty=True)
FILES = (
    *("tasks.d/a.yaml", "tasks.d/A.yaml", "tasks.d/team/b.yml", "tasks.d/billing.yaml", "other/c.yaml"),
    *("/srv/tasks.d/a.yaml", "../up.yaml", "tasks.d/calendars/c.yaml", "calendars/c.yaml", "tasks.d/_x.yaml"),
    *(
        "tasks.d/.hidden/a.yaml",
        "tasks.d/a.txt",
        "tasks.d/Environments/prod.yaml",
        "<stdin>",
        "täglich ☃.yaml",
    ),
)
NAMES = ("a", "123", "on", "billing.nightly", "billing.daily", "täglich", "null", "calendars.a", "Billing.x")
with_calendars = st.sampled_from(
    [
        qualified(Cron("0 3 * * *"), skip_on=[CALENDARS["holidays"]]),
        qualified(Every(timedelta(minutes=15)), only_on=[CALENDARS["weekends"]], timezone="Europe/Berlin"),
        union([
            qualified(Cron("0 9 * * *"), skip_on=[CALENDARS["2026"]], only_on=[CALENDARS["weekends"]]),
            qualified(Cron("0 8 * * *"), skip_on=[CALENDARS["holidays"], CALENDARS["2026"]]),
        ]),
    ]
)  # fmt: skip
placed = st.builds(
    lambda spec, file, schedule: replace(
        spec,
        schedule=schedule or spec.schedule,
        position=None if file is None else Position(file, 3, 3),
    ),
    specs,
    st.one_of(st.none(), st.sampled_from(FILES)),
    st.one_of(st.none(), with_calendars),
)
worlds = st.lists(st.tuples(st.sampled_from(NAMES), placed), max_size=6, unique_by=lambda each: each[0]).map(
    lambda pairs: [canonical(replace(spec, name=name)) for name, spec in pairs]
)


def apply(world: World, found: Sequence[TaskSpec], source: str = "main") -> None:
    desired = Desired({spec.name: spec for spec in found}, 1, "digest", "tasks.d")
    apply_desired(world.database, desired, source, Approval("tester", ANYTHING))


def export(world: World, folder: Path, **more: bool) -> ExportedFolder:
    with reading(world.database) as connection:
        rows = task_rows(connection)
    return export_folder(rows, REGISTRY, folder, settings_in(folder.parent), **more)


def settings_in(root: Path, **flags: str) -> Settings:
    return load_settings(flags, environ={}, folder=root)


def load(folder: Path, env: str | None = None) -> Loaded:
    wanted = Environments(env, check_all=env is None)
    return load_folder(folder, REGISTRY, root=folder.parent, environments=wanted, environment={})


def has_changes(world: World, loaded: Loaded, source: str = "main") -> bool:
    desired = Desired({spec.name: spec for spec in loaded.specs}, loaded.files, loaded.digest, "tasks.d")
    return make_plan(world.database, desired, source).plan.has_changes


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds)
def test_what_is_exported_is_valid_and_plans_to_no_change(world: World, found: list[TaskSpec]) -> None:
    apply(world, found)

    with TemporaryDirectory() as place:
        folder = Path(place) / "tasks.d"
        done = export(world, folder)
        loaded = load(folder)

        assert [problem.text() for problem in loaded.errors] == []
        assert {spec.name for spec in loaded.specs} == {spec.name for spec in found}
        assert not has_changes(world, loaded)
        assert done.tasks == len(found)
        assert all((folder / name).is_file() for name in done.files)


def task(name: str, file: str | None = None, calendar: str | None = None) -> TaskSpec:
    skip = (CALENDARS[calendar],) if calendar else ()
    schedule = qualified(Cron("0 3 * * *"), skip_on=skip)
    position = None if file is None else Position(file, 1, 1)
    return canonical(TaskSpec(name, "note", schedule, position=position))


def test_tasks_go_to_the_files_they_came_from_and_else_by_the_start_of_their_names(
    world: World, tmp_path: Path
) -> None:
    apply(
        world,
        [
            task("a", "tasks.d/team/all.yaml", "holidays"),
            task("b", "tasks.d/team/all.yaml", "weekends"),
            task("billing.c"), task("billing.d"), task("e"), task("f.g", "tasks.d/calendars/f.yaml"),
        ],
    )  # fmt: skip

    done = export(world, tmp_path / "tasks.d")

    assert done.files == (
        "billing.yaml", "calendars/holidays.yaml", "calendars/weekends.yaml",
        "f.yaml", "tasks.yaml", "team/all.yaml",
    )  # fmt: skip
    assert (tmp_path / "tasks.d/calendars/weekends.yaml").read_text() == "weekdays:\n  - SUN\n  - SAT\n"
    assert "skip_on" in (tmp_path / "tasks.d/team/all.yaml").read_text()


def test_a_folder_that_holds_something_is_left_alone_unless_told(world: World, tmp_path: Path) -> None:
    apply(world, [task("a")])
    folder = tmp_path / "tasks.d"
    folder.mkdir()
    (folder / ".git").mkdir()
    export(world, folder)
    (folder / "mine.yaml").write_text("tasks: {}")
    (folder / "tasks.yaml").write_text("")

    with pytest.raises(TaskcfgError, match=r"is not empty: it has `mine\.yaml`"):
        export(world, folder)
    assert (folder / "tasks.yaml").read_text() == ""

    export(world, folder, force=True)
    assert (folder / "tasks.yaml").read_text() != ""
    assert (folder / "mine.yaml").read_text() == "tasks: {}"


def test_each_source_has_a_folder_of_its_own(world: World, tmp_path: Path) -> None:
    apply(world, [task("a", calendar="holidays")])
    apply(world, [task("b")], source="../team/é")

    done = export(world, tmp_path / "all", by_source=True)

    assert done.files == (
        "%2E%2E%2Fteam%2F%C3%A9/tasks.yaml",
        "main/calendars/holidays.yaml",
        "main/tasks.yaml",
    )
    assert not has_changes(world, load(tmp_path / "all/main"))
    assert not has_changes(world, load(tmp_path / "all/%2E%2E%2Fteam%2F%C3%A9"), "../team/é")


def test_what_is_too_much_for_one_file_goes_into_several_and_none_is_lost(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST_IN_A_FILE", 2)
    apply(world, [*(task(name, "tasks.d/a.yaml") for name in "abcde"), task("f", "tasks.d/A-2.yaml")])

    done = export(world, tmp_path / "tasks.d")

    assert done.files == ("A-2.yaml", "a-3.yaml", "a-4.yaml", "a.yaml")
    assert not has_changes(world, load(tmp_path / "tasks.d"))


def test_an_environment_without_a_file_gets_one_that_says_nothing(world: World, tmp_path: Path) -> None:
    apply(world, [task("a")])
    with reading(world.database) as connection:
        rows = task_rows(connection)
    prod = settings_in(tmp_path, env="prod")

    first = export_folder(rows, REGISTRY, tmp_path / "tasks.d", prod)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/prod.yaml").write_text("tasks: {}\n")
    second = export_folder(rows, REGISTRY, tmp_path / "other.d", prod)

    assert first.files == ("environments/prod.yaml", "tasks.yaml")
    assert second.files == ("tasks.yaml",)
    assert not has_changes(world, load(tmp_path / "other.d", "prod"))
