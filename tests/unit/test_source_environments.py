"""Environments: what their files lay over the tasks, and where their mistakes are said."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from taskcfg.errors import UnknownEnvironment
from taskcfg.source.environments import Environments
from taskcfg.source.layers import Origin
from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.source.origins import who_says
from taskcfg.spec.policy import Retry
from taskcfg.spec.schedule import Every
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import Registry

TASK = """\
defaults: {owner: file, retry: {attempts: 3, delay: 30s}}
tasks:
  nightly:
    type: celery
    schedule: {cron: "0 5 * * *", timezone: Europe/Berlin}
    params: {task: a, kwargs: {size: 1, colour: red}, args: [1, 2]}
    queue: slow
    timeout: 1m
    labels: {team: one, tier: "2"}
  other: {type: celery, schedule: manual, params: {task: b}}
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks.d"
    folder.mkdir()
    (folder / "a.yaml").write_text(TASK)
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def load(folder: Path, name: str | None = None, *named: str, **more: object) -> Loaded:
    wanted = Environments(name, named, check_all=name is None)
    return load_folder(folder, Registry(), root=folder.parent, environments=wanted, environment={}, **more)  # type: ignore[arg-type]


def specs(loaded: Loaded) -> dict[str, TaskSpec]:
    assert texts(loaded) == []
    return {spec.name: spec for spec in loaded.specs}


def texts(loaded: Loaded) -> list[str]:
    return [problem.text() for problem in loaded.problems]


def test_mappings_merge_and_scalars_and_lists_replace(folder: Path, write: Write) -> None:
    nightly = (
        "{queue: fast, retry: {delay: 1m}, labels: {tier: '1'}, schedule: {cron: '0 6 * * *'},"
        " params: {kwargs: {size: 9}, args: [3]}}"
    )
    write("environments/prod.yaml", f"tasks: {{nightly: {nightly}}}")

    found = specs(load(folder, "prod"))

    assert found["nightly"].queue == "fast"
    assert found["nightly"].policy.retry == Retry(attempts=3, delay=timedelta(minutes=1))
    assert found["nightly"].labels == {"team": "one", "tier": "1"}
    assert found["nightly"].params["kwargs"] == {"size": 9, "colour": "red"}
    assert found["nightly"].params["args"] == [3]
    assert found["nightly"].owner == "file"
    assert found["nightly"].document()["schedule"] == {"cron": "0 6 * * *", "timezone": "Europe/Berlin"}
    assert found["other"] == specs(load(folder))["other"]


def test_a_schedule_of_another_kind_replaces_and_one_without_kind_stands_beside(
    folder: Path, write: Write
) -> None:
    write("environments/a.yaml", "tasks: {nightly: {schedule: {every: 1h}}}")
    write("environments/b.yaml", "tasks: {nightly: {schedule: {timezone: UTC}}}")

    assert specs(load(folder, "a"))["nightly"].schedule == Every(timedelta(hours=1))
    assert specs(load(folder, "b"))["nightly"].document()["schedule"] == {
        "cron": "0 5 * * *",
        "timezone": "UTC",
    }


def test_an_explicit_null_clears(folder: Path, write: Write) -> None:
    nulls = "{queue: null, timeout: null, owner: , retry: , labels: {team: , tier: '2'}}"
    write("environments/prod.yml", f"tasks: {{nightly: {nulls}}}")

    spec = specs(load(folder, "prod"))["nightly"]

    assert (spec.queue, spec.policy.timeout, spec.owner) == (None, None, None)
    assert (spec.policy.retry, spec.labels) == (Retry(), {"tier": "2"})


def test_its_defaults_are_over_the_tasks_it_names_and_below_what_it_says_of_them(
    folder: Path, write: Write
) -> None:
    write(
        "environments/prod.yaml",
        "x-mine: 1\ndefaults: {queue: prod, priority: 9}\ntasks: {nightly: {priority: 1}}\n"
        "---\ntasks:\n  other:\n",
    )

    found = specs(load(folder, "prod"))

    assert (found["nightly"].queue, found["nightly"].priority, found["nightly"].owner) == ("prod", 1, "file")
    assert (found["other"].queue, found["other"].priority) == (None, 5)


def test_defaults_beside_no_task_are_warned_of(folder: Path, write: Write) -> None:
    write("environments/prod.yaml", "defaults: {queue: prod}")

    assert texts(load(folder, "prod")) == [
        "tasks.d/environments/prod.yaml:1:1: warning: these defaults are for no task\n"
        "    they are for the tasks that stand beside them: name these, as in `nightly: {}`"
    ]


def test_a_task_that_does_not_exist_is_a_problem_with_the_nearest_name(folder: Path, write: Write) -> None:
    write("environments/prod.yaml", "tasks:\n  nightyl: {queue: fast}\n")

    assert texts(load(folder, "prod")) == [
        "tasks.d/environments/prod.yaml:2:3: no task is named `nightyl`\n    did you mean `nightly`?"
    ]


def test_where_a_file_cannot_be_read_no_task_is_said_not_to_exist(folder: Path, write: Write) -> None:
    write("environments/prod.yaml", "tasks: {elsewhere: {queue: fast}}")
    write("broken.yaml", "tasks: {elsewhere: [}")

    assert [problem.position.file for problem in load(folder, "prod").problems] == ["tasks.d/broken.yaml"]


def test_problems_stand_where_the_environment_says_it(folder: Path, write: Write) -> None:
    write(
        "environments/prod.yaml",
        "tasks:\n  nightly:\n    queu: fast\n    timeout: soon\n    params:\n      tsak: b\n"
        "    schedule: {cron: '0 0 30 2 *'}\nmore: 1\n",
    )

    found = [
        (problem.position.line, problem.field, problem.position.file) for problem in load(folder).problems
    ]

    file = "tasks.d/environments/prod.yaml"
    assert found == [
        (3, "queu", file),
        (4, "timeout", file),
        (6, "params.tsak", file),
        (7, "schedule.cron", file),
        (8, None, file),
    ]
    assert [(p.position, p.message) for p in load(folder, "prod").problems] == [
        (p.position, p.message) for p in load(folder).problems
    ]


def test_what_is_wrong_only_in_an_environment_says_in_which(folder: Path, write: Write) -> None:
    write("b.yaml", "tasks:\n  wide: {type: celery, schedule: {every: 1h}, jitter: 30m, params: {task: a}}\n")
    write("environments/prod.yaml", "tasks: {wide: {schedule: {every: 10m}}}")

    (problem,) = load(folder).problems

    assert problem.position.file == "tasks.d/b.yaml"
    assert problem.message.endswith(" (in environment `prod`)")
    assert len(specs(load(folder, "dev", "dev"))) == 3


def test_every_environment_is_checked_but_only_the_one_asked_for_is_merged(
    folder: Path, write: Write
) -> None:
    write("environments/prod.yaml", "tasks: {nightly: {queue: prod}}")
    write("environments/stage.yaml", "tasks: {nightly: {priority: 11}}")

    assert load(folder, "prod").valid
    found = load(folder)
    assert [problem.position.file for problem in found.problems] == ["tasks.d/environments/stage.yaml"]
    assert {spec.name: spec.queue for spec in found.specs} == {"nightly": "slow", "other": None}


def test_it_stands_beside_the_folder_or_in_it_and_not_in_both(folder: Path, write: Write) -> None:
    write("../environments/prod.yaml", "tasks: {nightly: {queue: beside}}")

    assert specs(load(folder, "prod"))["nightly"].queue == "beside"

    write("environments/prod.yaml", "tasks: {nightly: {queue: inside}}")
    assert texts(load(folder, "prod")) == [
        "environments/prod.yaml: environment `prod` is declared twice\n"
        "    also at tasks.d/environments/prod.yaml\n    keep one of them"
    ]


def test_one_that_nobody_names_and_has_no_file_is_an_error_with_the_nearest(
    folder: Path, write: Write
) -> None:
    write("environments/prod.yaml", "tasks: {}")

    with pytest.raises(UnknownEnvironment) as unknown:
        load(folder, "prdo", "stage")
    assert (unknown.value.message, unknown.value.hint) == (
        "no environment is named `prdo`",
        "did you mean `prod`?",
    )
    assert specs(load(folder, "stage", "stage"))["nightly"].queue == "slow"


def test_the_digest_tells_of_the_one_that_is_merged_and_of_no_other(folder: Path, write: Write) -> None:
    write("environments/prod.yaml", "tasks: {nightly: {queue: prod}}")
    write("environments/stage.yaml", "tasks: {nightly: {queue: stage}}")

    assert set(load(folder, "prod").digests) == {"tasks.d/a.yaml", "tasks.d/environments/prod.yaml"}
    before = load(folder, "prod").digest
    write("environments/prod.yaml", "tasks: {nightly: {queue: other}}")
    assert load(folder, "prod").digest != before


def test_each_value_says_that_it_comes_from_the_environment(folder: Path, write: Write) -> None:
    write("environments/prod.yaml", "tasks:\n  nightly:\n    params: {kwargs: {size: 9}}\n")

    traced = load(folder, "prod", traced="nightly").traced

    assert traced is not None and traced.layer is not None
    said = who_says(traced.layer)
    assert said["params.kwargs.size"].origin is Origin.ENVIRONMENT
    assert str(said["params.kwargs.size"].position) == "tasks.d/environments/prod.yaml:3:29"
    assert said["params.kwargs.colour"].origin is Origin.TASK
    assert said["owner"].origin is Origin.FILE


def test_one_file_alone_has_its_environment_too_and_misses_no_task_of_other_files(
    folder: Path, write: Write
) -> None:
    file = write("b.yaml", "tasks: {alone: {type: celery, schedule: manual, params: {task: a}}}")
    write("environments/prod.yaml", "tasks: {nightly: {queue: prod}, alone: {queue: prod}}")
    wanted = Environments("prod")

    found = load_files([file], Registry(), root=folder.parent, tasks_dir=folder, environments=wanted)
    assert {spec.name: spec.queue for spec in found.specs} == {"alone": "prod"}
    text = load_text(file.read_text(), Registry(), root=folder.parent, tasks_dir=folder, environments=wanted)
    assert [spec.queue for spec in text.specs] == ["prod"]
    assert texts(found) == texts(text) == []


def test_the_file_of_an_environment_alone_is_checked_with_the_tasks_it_is_for(
    folder: Path, write: Write
) -> None:
    write("broken.yaml", "tasks: {x: {type: nothing, schedule: manual}}")
    prod = write("environments/prod.yaml", "tasks: {nightly: {priority: 11}, nobody: {}}")
    write("environments/stage.yaml", "tasks: {nightly: {priority: 12}}")
    wanted = Environments(check_all=True)

    found = load_files([prod], Registry(), root=folder.parent, tasks_dir=folder, environments=wanted)

    assert [(problem.position.file, problem.task) for problem in found.problems] == [
        ("tasks.d/environments/prod.yaml", "nightly"),
        ("tasks.d/environments/prod.yaml", "nobody"),
    ]
    assert found.files == 1
