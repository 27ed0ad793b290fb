"""`taskcfg init`: a project that works at once, and nothing of the user's is touched."""

import json

from acceptance.project import Project


def test_a_new_project_is_written_and_valid(project: Project) -> None:
    done = project.ok("init")

    assert done.out.splitlines()[:4] == [
        "created  taskcfg.toml",
        "created  tasks.d/cleanup.yaml",
        "created  .gitignore",
        "created  .taskcfg/schema.json",
    ]
    assert "taskcfg up" in done.out
    assert project.read(".gitignore") == ".taskcfg/\n"
    assert project.ok("validate").out == "No problems: 1 task in 1 file\n"


def test_the_folder_may_be_elsewhere_and_is_made(project: Project) -> None:
    done = project.ok("init", "deep/down")

    assert "created  deep/down/taskcfg.toml" in done.out
    assert "  cd deep/down" in done.out
    assert project.ok("validate", cwd="deep/down").code == 0


def test_what_is_there_stays_as_it_is(project: Project) -> None:
    project.write("taskcfg.toml", 'source = "mine"\n')
    project.write("tasks.d/own.yaml", "tasks: {}\n")
    project.write(".gitignore", "*.pyc\n")

    done = project.ok("init", "--format", "json")

    assert done.json == {
        "created": [".taskcfg/schema.json"],
        "kept": ["taskcfg.toml", "tasks.d", ".gitignore"],
    }
    assert project.read("taskcfg.toml") == 'source = "mine"\n'
    assert project.read(".gitignore") == "*.pyc\n"
    assert sorted(path.name for path in (project.folder / "tasks.d").iterdir()) == ["own.yaml"]


def test_twice_is_as_good_as_once(project: Project) -> None:
    project.ok("init")
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}

    project.ok("init")

    assert {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()} == before


def test_a_place_that_cannot_be_written_is_said_clearly(project: Project) -> None:
    project.write("file", "")

    done = project.run("init", "file/below")

    assert done.code == 1
    assert done.err.startswith("error: file")


def test_the_first_task_s_modeline_names_the_schema_that_was_written(project: Project) -> None:
    project.ok("init")

    first, _, _ = project.read("tasks.d/cleanup.yaml").partition("\n")
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (project.folder / "tasks.d" / path).samefile(project.folder / ".taskcfg" / "schema.json")
    assert project.ok("schema").json == json.loads(project.read(".taskcfg/schema.json"))


def test_types_that_do_not_work_are_no_hindrance(project: Project) -> None:
    project.write("taskcfg.toml", 'types = ["nowhere"]\n')

    assert "created  tasks.d/cleanup.yaml" in project.ok("init").out
