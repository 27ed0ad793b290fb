"""Folders and files: what is read, what is not, and that "cannot be read" is never "nothing there"."""

import os
from pathlib import Path

import pytest

from taskcfg.errors import UnreadableSource
from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.types.registry import Registry

TASK = "tasks:\n  {}: {{type: celery, schedule: manual, params: {{task: a}}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks.d"
    folder.mkdir()
    return folder


def write(folder: Path, name: str, text: str | None = None) -> Path:
    """Write a file that declares one task, named like the file, or holds *text*."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TASK.format(path.stem) if text is None else text, encoding="utf-8")
    return path


def load(folder: Path) -> Loaded:
    return load_folder(folder, Registry(), root=folder.parent)


def names(loaded: Loaded) -> list[str]:
    return [spec.name for spec in loaded.specs]


def texts(loaded: Loaded) -> list[str]:
    return [problem.text() for problem in loaded.problems]


def test_a_folder_is_read_with_all_below_it_and_tasks_come_by_name(folder: Path) -> None:
    for name in ("z.yaml", "a.yml", "team/b.yaml", "team/deep/c.yml"):
        write(folder, name)

    loaded = load(folder)

    assert names(loaded) == ["a", "b", "c", "z"]
    assert (loaded.files, loaded.tasks, loaded.valid, texts(loaded)) == (4, 4, True, [])
    assert str(loaded.specs[1].position) == "tasks.d/team/b.yaml:2:3"


def test_what_is_hidden_temporary_or_of_another_kind_is_not_read(folder: Path) -> None:
    for name in (
        *(".hidden.yaml", ".#lock.yaml", "~temp.yaml", "#save.yaml", "_shared.yaml", "_shared/x.yaml"),
        *(".git/x.yaml", "..data/x.yaml", "a.yaml~", "a.yaml.swp", "a.yaml.bak", "readme.md", "x.json"),
    ):
        write(folder, name, "not: [yaml")

    assert (load(folder).files, texts(load(folder))) == (0, [])


def test_an_empty_folder_is_no_problem_and_a_missing_one_is_no_empty_one(folder: Path) -> None:
    assert load(folder).files == 0

    with pytest.raises(UnreadableSource, match=r"^no: no such file or directory"):
        load(folder / "no")
    with pytest.raises(UnreadableSource, match="not a directory"):
        load(write(folder, "a.yaml"))


def test_a_name_declared_in_two_files_names_both_places(folder: Path) -> None:
    write(folder, "a.yaml", TASK.format("nightly"))
    write(folder, "b.yaml", "\n\n" + TASK.format("nightly"))
    write(folder, "c.yaml", TASK.format("nightly"))

    assert texts(load(folder)) == [
        "tasks.d/a.yaml:2:3: task `nightly` is declared twice\n    also at tasks.d/b.yaml:4:3",
        "tasks.d/a.yaml:2:3: task `nightly` is declared twice\n    also at tasks.d/c.yaml:2:3",
    ]


def test_only_the_folders_at_the_top_are_those_of_calendars_and_environments(folder: Path) -> None:
    write(folder, "environments/prod.yaml", "tasks: {}")
    write(folder, "team/calendars/fine.yaml")
    write(folder, "team/environments/good.yaml")

    loaded = load(folder)

    assert texts(loaded) == []
    assert names(loaded) == ["fine", "good"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_a_problem(folder: Path) -> None:
    write(folder, "fine.yaml")
    file = write(folder, "a.yaml")
    below = write(folder, "team/b.yaml").parent
    file.chmod(0)
    below.chmod(0)

    try:
        assert texts(load(folder)) == [
            "tasks.d/a.yaml: the file cannot be read: permission denied",
            "tasks.d/team: the folder cannot be read: permission denied",
        ]
    finally:
        below.chmod(0o700)


def test_links_that_lead_nowhere_or_in_circles_are_problems_and_others_are_followed(folder: Path) -> None:
    outside = write(folder.parent / "outside", "linked.yaml")
    (folder / "linked.yaml").symlink_to(outside)
    (folder / "broken.yaml").symlink_to("nowhere")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "back").symlink_to(folder)
    (folder / "other").symlink_to(write(folder.parent / "more", "other.yaml").parent)

    loaded = load(folder)

    assert names(loaded) == ["linked", "other"]
    assert texts(loaded) == [
        "tasks.d/broken.yaml: the file cannot be read: no such file or directory",
        "tasks.d/loop.yaml: the file cannot be read: too many levels of symbolic links",
    ]


def test_a_mounted_config_map_is_read_through_its_links(folder: Path) -> None:
    write(folder, "..2026_03_29/a.yaml")
    (folder / "..data").symlink_to("..2026_03_29")
    (folder / "a.yaml").symlink_to("..data/a.yaml")

    assert names(load(folder)) == ["a"]


def test_what_is_no_file_is_a_problem_and_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()

    assert texts(load(folder)) == ["tasks.d/pipe.yaml: the file cannot be read: not a regular file"]


def test_the_digest_changes_with_names_and_contents_and_nothing_else(folder: Path) -> None:
    first = write(folder, "a.yaml")
    digest = load(folder).digest
    os.utime(first, (0, 0))
    touched = load(folder).digest
    renamed = first.rename(folder / "b.yaml")
    moved = load(folder).digest
    renamed.write_text(renamed.read_text() + "# a comment\n")

    assert digest == touched
    assert len({digest, moved, load(folder).digest}) == 3


def test_single_files_are_read_whatever_their_name_and_each_once(folder: Path) -> None:
    hidden = write(folder, "_a.txt")
    write(folder, "b.yaml")

    loaded = load_files([hidden, folder, folder / "b.yaml", hidden], Registry(), root=folder)

    assert loaded.files == 2
    assert loaded.tasks == 2


def test_a_path_that_is_not_there_raises(folder: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"no\.yaml: there is no such file or folder"):
        load_files([folder / "no.yaml"], Registry(), root=folder)


def test_paths_outside_the_root_are_shown_whole(folder: Path, tmp_path: Path) -> None:
    file = write(tmp_path, "broken.yaml", "tasks: 5\n")

    (problem,) = load_files([file], Registry(), root=folder).problems

    assert problem.position.file == str(file)


def test_a_file_name_that_is_not_utf_8_can_be_shown(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.yaml")).write_text("tasks: 5\n")

    (problem,) = load(folder).problems

    assert problem.text().encode().startswith("tasks.d/caf\N{REPLACEMENT CHARACTER}.yaml:1:8: ".encode())


def test_text_is_one_file(folder: Path) -> None:
    loaded = load_text(TASK.format("a"), Registry())
    broken = load_text("tasks: 5", Registry())

    assert (names(loaded), loaded.files, str(loaded.specs[0].position)) == (["a"], 1, "<stdin>:2:3")
    assert broken.problems[0].position.file == "<stdin>"
    assert load_text("\udcff: 1", Registry()).valid is False
