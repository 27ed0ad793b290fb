"""`taskcfg fmt`, as a user and a CI job run it."""

import os
import stat

from acceptance.project import Project

UGLY = "tasks:\n    # why\n    a:\n        schedule: manual   # by hand\n        type: http\n"
CANONICAL = "tasks:\n  # why\n  a:\n    type: http\n    schedule: manual   # by hand\n"


def test_the_tasks_folder_is_formatted_once_and_what_is_no_yaml_is_left_and_named(project: Project) -> None:
    project.write("tasks.d/ugly.yaml", UGLY)
    project.write("tasks.d/team/_defaults.yaml", "queue: a\nowner: b\n")
    project.write("tasks.d/fine.yml", CANONICAL)
    project.write("tasks.d/broken.yaml", "tasks:\n\ta: 1\n")

    first = project.run("fmt", "-o", "json")
    again = project.run("fmt", "-o", "json")

    assert (first.code, again.code) == (1, 1)
    assert first.json["files"] == 4
    assert first.json["changed"] == ["tasks.d/team/_defaults.yaml", "tasks.d/ugly.yaml"]
    (problem,) = again.json["problems"]
    assert again.json["changed"] == []
    assert (problem["file"], problem["line"]) == ("tasks.d/broken.yaml", 2)
    assert problem["message"] == "a tab cannot indent YAML"
    assert project.read("tasks.d/ugly.yaml") == CANONICAL
    assert project.read("tasks.d/team/_defaults.yaml") == "owner: b\nqueue: a\n"
    assert project.read("tasks.d/broken.yaml") == "tasks:\n\ta: 1\n"


def test_check_writes_nothing_and_says_what_would_change(project: Project) -> None:
    project.write("tasks.d/ugly.yaml", UGLY)

    before = project.run("fmt", "--check")
    untouched = project.read("tasks.d/ugly.yaml")
    formatted = project.run("fmt", "tasks.d/ugly.yaml")
    after = project.run("fmt", "--check", "tasks.d")

    assert (before.code, before.out) == (1, "tasks.d/ugly.yaml\n1 of 1 file would be formatted\n")
    assert untouched == UGLY
    assert (formatted.code, formatted.out) == (0, "tasks.d/ugly.yaml\n1 of 1 file formatted\n")
    assert (after.code, after.out) == (0, "0 of 1 file would be formatted\n")


def test_stdin_goes_to_stdout_and_only_if_it_can_be_formatted(project: Project) -> None:
    good = project.run("fmt", "-", input=UGLY)
    bad = project.run("fmt", "-", input="tasks: [a")
    more = project.run("fmt", "-", "tasks.d")

    assert (good.code, good.out, good.err) == (0, CANONICAL, "")
    assert (bad.code, bad.out) == (1, "")
    assert "a `[` that opens here is not closed" in bad.err
    assert more.code == 64


def test_a_file_keeps_its_mode_and_a_link_stays_a_link(project: Project) -> None:
    project.write("kept/real.yaml", UGLY)
    real, link = project.folder / "kept/real.yaml", project.folder / "tasks.d/link.yaml"
    real.chmod(0o640)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("../kept/real.yaml")

    done = project.run("fmt")

    assert done.code == 0, done
    assert os.readlink(link) == "../kept/real.yaml"
    assert real.read_text() == CANONICAL
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["real.yaml"]


def test_a_path_that_is_not_there_is_an_error(project: Project) -> None:
    done = project.run("fmt", "nowhere.yaml", "-o", "json")

    assert (done.code, done.json["error"]["code"]) == (1, "unreadable_source")


def test_what_init_writes_is_in_the_layout(project: Project) -> None:
    project.run("init")

    assert project.run("fmt", "--check").code == 0
