"""`_defaults.yaml`: what a folder gives to the tasks in it and below, and where its mistakes are said."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.spec.policy import Retry
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import Registry

TASK = "tasks:\n  {name}: {{type: celery, schedule: manual, params: {{task: a}}{more}}}\n"
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks.d"
    folder.mkdir()
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, text: str | None = None, more: str = "") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TASK.format(name=path.stem, more=more) if text is None else text, encoding="utf-8")
        return path

    return write


def load(folder: Path) -> Loaded:
    return load_folder(folder, Registry(), root=folder.parent)


def specs(loaded: Loaded) -> dict[str, TaskSpec]:
    assert [problem.text() for problem in loaded.problems] == []
    return {spec.name: spec for spec in loaded.specs}


def texts(loaded: Loaded) -> list[str]:
    return [problem.text() for problem in loaded.problems]


def test_the_nearest_wins_task_file_folder_its_parents_and_the_type(folder: Path, write: Write) -> None:
    write("_defaults.yaml", "queue: top\nowner: top\nrunbook: top\ndescription: top\npriority: 1\n")
    write("team/_defaults.yml", "queue: team\nowner: team\nrunbook: team\n")
    write("team/below/a.yaml", more=", queue: task")
    write("team/b.yaml", "defaults: {owner: file}\n" + TASK.format(name="b", more=", queue: task"))
    write("c.yaml")

    found = specs(load(folder))

    fields = {
        name: (spec.queue, spec.owner, spec.runbook, spec.description, spec.priority)
        for name, spec in found.items()
    }
    assert fields == {
        "a": ("task", "team", "team", "top", 1),
        "b": ("task", "file", "team", "top", 1),
        "c": ("top", "top", "top", "top", 1),
    }


def test_mappings_merge_and_scalars_and_lists_replace(folder: Path, write: Write) -> None:
    write(
        "_defaults.yaml",
        "params: {args: [1, 2], kwargs: {a: {x: 1}, b: 2}}\nretry: {attempts: 3, delay: 5s}\n"
        "labels: {team: top, tier: '2'}\nschedule: {every: 1h, anchor: 2026-01-01T00:00:00Z}\n",
    )
    write(
        "team/_defaults.yaml", "params: {kwargs: {a: {y: 1}}}\nlabels: {team: team}\nretry: {attempts: 4}\n"
    )
    write(
        "team/a.yaml",
        "defaults: {params: {args: [3]}}\ntasks: {a: {type: celery, params: {task: t},"
        " schedule: {every: 2h}, labels: {own: x}, retry: {jitter: true}}}\n",
    )

    spec = specs(load(folder))["a"]

    assert spec.params["args"] == [3]
    assert spec.params["kwargs"] == {"a": {"x": 1, "y": 1}, "b": 2}
    assert spec.labels == {"team": "team", "tier": "2", "own": "x"}
    assert spec.policy.retry == Retry(4, timedelta(seconds=5), jitter=True)
    assert spec.document()["schedule"] == {"every": 7200, "anchor": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("name", ["_defaults.yaml", "team/_defaults.yaml", "team/a.yaml"])
def test_an_empty_value_clears_what_lies_below_wherever_it_stands(
    folder: Path, write: Write, name: str
) -> None:
    cleared = "queue: \nretry: \nlabels: \nowner: \nparams: \n"
    write("_defaults.yaml", "queue: q\nretry: {attempts: 9}\nlabels: {a: b}\nowner: o\nparams: {args: [1]}\n")
    if name == "_defaults.yaml" or name == "team/_defaults.yaml":
        write(name, cleared)
    task = "tasks: {a: {type: celery, schedule: manual, params: {task: t}}}\n"
    if name == "team/a.yaml":
        task = "defaults: {" + cleared.replace("\n", ", ") + "}\n" + task
    write("team/a.yaml", task)

    spec = specs(load(folder))["a"]

    assert (spec.queue, spec.policy.retry, spec.labels, spec.owner) == (None, Retry(), {}, None)
    assert spec.params["args"] == []


def test_a_mistake_in_it_is_said_once_at_its_place_and_no_task_below_is_taken(
    folder: Path, write: Write
) -> None:
    write("_defaults.yaml", "queue: q\ntimeout: soon\nparams: {tsk: a}\nowne: me\n")
    for name in ("a.yaml", "b.yaml", "team/c.yaml"):
        write(name)

    loaded = load(folder)

    assert [text.partition("\n")[0] for text in texts(loaded)] == [
        "tasks.d/_defaults.yaml:2:10: timeout: `soon` is not a duration such as `90s`, `15m`, `6h`, `30d`,"
        " `1h30m`, `PT15M` or a number of seconds",
        "tasks.d/_defaults.yaml:3:10: params.tsk: unknown field",
        "tasks.d/_defaults.yaml:4:1: owne: unknown field",
    ]
    assert (loaded.specs, loaded.tasks, loaded.files) == ((), 3, 4)


def test_it_is_checked_also_where_no_task_inherits_from_it(folder: Path, write: Write) -> None:
    write("empty/_defaults.yaml", "priority: 10\n")

    assert texts(load(folder)) == [
        "tasks.d/empty/_defaults.yaml:1:11: priority: expected a whole number from 0 to 9, found `10`"
    ]


def test_two_in_one_folder_are_a_problem_that_names_both(folder: Path, write: Write) -> None:
    write("_defaults.yaml", "queue: a\n")
    write("_defaults.yml", "queue: b\n")
    write("a.yaml")

    assert texts(load(folder)) == [
        "tasks.d/_defaults.yml: `_defaults.yml` stands beside `_defaults.yaml`\n"
        "    also at tasks.d/_defaults.yaml\n    keep one of them"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n", "1:1: expected a mapping, found a list"),
        ("tasks: {}\n", "1:1: tasks: has no place in a file of defaults"),
        ("x-mine: 1\ndefaults: {queue: q}\n", "2:1: defaults: has no place in a file of defaults"),
        ("queue: a\n---\nqueue: b\n", "3:1: a file of defaults is one document"),
        ("queue: ${env:NO_SUCH_QUEUE}\n", "1:8: the environment variable `NO_SUCH_QUEUE` is not set"),
        ("owner: ${secret:X}\n", "1:8: owner: a secret can stand only inside `params`"),
        ("a: &a [*a]\n", "1:4: an alias stands inside what it stands for"),
        ("queue: !!str a\n", "1:8: the tag `!!str` is not allowed"),
        ("queue: a\nqueue: b\n", "1:1: `queue` is given twice"),
        ("params: " + "[" * 60 + "]" * 60 + "\n", "1:57: nested deeper than 50 levels"),
    ],
)
def test_what_cannot_stand_in_it(folder: Path, write: Write, text: str, problem: str) -> None:
    write("_defaults.yaml", text)
    write("a.yaml")

    loaded = load(folder)

    assert [text.partition("\n")[0] for text in texts(loaded)] == [f"tasks.d/_defaults.yaml:{problem}"]
    assert not loaded.valid and loaded.specs == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "x-mine: {a: 1}\n"])
def test_an_empty_one_gives_nothing_and_is_no_problem(folder: Path, write: Write, text: str) -> None:
    write("_defaults.yaml", text)
    write("a.yaml")

    assert specs(load(folder))["a"].queue is None


def test_what_cannot_be_read_is_a_problem_and_nothing_below_is_taken(folder: Path, write: Write) -> None:
    (folder / "_defaults.yaml").symlink_to("nowhere")
    write("a.yaml")

    loaded = load(folder)

    assert texts(loaded) == ["tasks.d/_defaults.yaml: the file cannot be read: no such file or directory"]
    assert loaded.specs == ()


def test_a_single_file_inherits_from_the_tasks_folder_down_and_elsewhere_from_nothing(
    folder: Path, write: Write, tmp_path: Path
) -> None:
    write("_defaults.yaml", "queue: top\n")
    write("team/_defaults.yaml", "owner: team\n")
    file = write("team/a.yaml")
    outside = tmp_path / "b.yaml"
    outside.write_text(TASK.format(name="b", more=""))
    (tmp_path / "_defaults.yaml").write_text("queue: none of theirs\n")

    found = specs(load_files([file, outside], Registry(), root=tmp_path, tasks_dir=folder))
    alone = specs(load_files([file], Registry(), root=tmp_path))

    assert (found["a"].queue, found["a"].owner) == ("top", "team")
    assert found["b"].queue is None
    assert (alone["a"].queue, alone["a"].owner) == (None, None)
    assert specs(load_text(file.read_text(), Registry()))["a"].owner is None


def test_a_folder_elsewhere_is_a_tasks_folder_of_its_own(folder: Path, write: Write, tmp_path: Path) -> None:
    write("_defaults.yaml", "queue: top\n")
    write("team/_defaults.yaml", "owner: team\n")
    write("team/a.yaml")

    inside = specs(load_files([folder / "team"], Registry(), root=tmp_path, tasks_dir=folder))["a"]
    own = specs(load_files([folder / "team"], Registry(), root=tmp_path, tasks_dir=tmp_path / "other"))["a"]

    assert (inside.queue, inside.owner) == ("top", "team")
    assert (own.queue, own.owner) == (None, "team")


def test_given_by_itself_it_is_checked_as_what_it_is(folder: Path, write: Write, tmp_path: Path) -> None:
    file = write("team/_defaults.yaml", "owner: 5\n")

    for tasks_dir in (folder, None):
        loaded = load_files([file], Registry(), root=tmp_path, tasks_dir=tasks_dir)
        assert texts(loaded) == [
            "tasks.d/team/_defaults.yaml:1:8: owner: expected text, found `5`\n    put it in quotes"
        ]


def test_it_takes_part_in_the_digest_and_so_do_the_variables_referred_to(folder: Path, write: Write) -> None:
    write("_defaults.yaml", "queue: ${env:QUEUE:-slow}\n")
    write("a.yaml")

    def digest(**environment: str) -> str:
        return load_folder(folder, Registry(), root=folder, environment=environment).digest

    before = digest()
    assert before == digest(OTHER="x")
    assert len({before, digest(QUEUE=""), digest(QUEUE="a"), digest(QUEUE="b")}) == 4
    write("_defaults.yaml", "queue: ${env:QUEUE:-slow} # a comment\n")
    assert digest() != before


def test_inherited_references_are_resolved_for_the_task_that_inherits(folder: Path, write: Write) -> None:
    write("_defaults.yaml", 'params: {args: ["${secret:A}", "${env:HOST}"]}\npriority: ${env:P}\n')
    write("a.yaml")

    (spec,) = load_folder(folder, Registry(), root=folder, environment={"HOST": "h", "P": "3"}).specs

    assert (spec.params["args"], spec.priority) == (["${secret:A}", "h"], 3)
