"""Settings: flags over environment over file; a mistake is named with the place it stands in."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from taskcfg.errors import InvalidSettings
from taskcfg.settings import READERS, Settings, load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def load(folder: Path, toml: str = "", flags: dict[str, Any] | None = None, **environ: str) -> Settings:
    (folder / "taskcfg.toml").write_text(toml)
    return load_settings(flags, environ=environ, folder=folder)


def refusal(folder: Path, toml: str = "", flags: dict[str, Any] | None = None, **environ: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(folder, toml, flags, **environ)
    return f"{refused.value.message} | {refused.value.hint}"


def test_without_any_setting_everything_is_embedded_in_the_folder(folder: Path) -> None:
    settings = load_settings(environ={}, folder=folder)

    assert settings.project_root == folder
    assert settings.database_url == f"sqlite:///{folder}/.taskcfg/taskcfg.db"
    assert settings.broker_url == f"embedded:///{folder}/.taskcfg/broker.db"
    assert settings.tasks_dir == folder / "tasks.d"
    assert settings.source == "main"


def test_the_file_is_found_upward_and_its_folder_is_the_project(folder: Path) -> None:
    (folder / "taskcfg.toml").write_text('source = "team"\ntasks_dir = "schedules"')
    below = folder / "a" / "b"
    below.mkdir(parents=True)

    settings = load_settings(environ={}, folder=below)

    assert (settings.project_root, settings.source) == (folder, "team")
    assert settings.tasks_dir == folder / "schedules"
    assert settings.database_url == f"sqlite:///{folder}/.taskcfg/taskcfg.db"


def test_environment_goes_over_file_and_flags_over_both(folder: Path) -> None:
    toml = 'source = "file"\nactor = "file"\nconcurrency = 3'

    settings = load(
        folder, toml, {"source": "flag", "actor": None}, TASKCFG_SOURCE="env", TASKCFG_ACTOR="env"
    )

    assert (settings.source, settings.actor, settings.concurrency) == ("flag", "env", 3)


def test_relative_paths_count_from_the_project_but_on_the_command_line_from_here(folder: Path) -> None:
    (folder / "taskcfg.toml").write_text('database_url = "sqlite:///data/t.db"')
    below = folder / "below"
    below.mkdir()

    from_file = load_settings(environ={}, folder=below)
    from_flag = load_settings(
        {"database_url": "sqlite:///t.db", "tasks_dir": "tasks"}, environ={}, folder=below
    )

    assert from_file.database_url == f"sqlite:///{folder}/data/t.db"
    assert from_flag.database_url == f"sqlite:///{below}/t.db"
    assert from_flag.tasks_dir == below / "tasks"


def test_an_absolute_path_and_a_database_in_memory_stay_as_they_are(folder: Path) -> None:
    assert load(folder, 'database_url = "sqlite:////var/t.db"').database_url == "sqlite:////var/t.db"
    assert load(folder, 'database_url = "sqlite:///:memory:"').database_url == "sqlite:///:memory:"


def test_lists_in_the_environment_are_json_or_separated_by_commas(folder: Path) -> None:
    assert load(folder, TASKCFG_TYPES='["a.b", "c"]').types == ("a.b", "c")
    assert load(folder, TASKCFG_TYPES="a.b, c,").types == ("a.b", "c")
    assert load(folder, TASKCFG_QUEUES="").queues == ()
    assert 'TASKCFG_TYPES: expected a JSON list such as ["a", "b"], found' in refusal(
        folder, TASKCFG_TYPES='["a"'
    )


def test_durations_are_written_as_in_task_files(folder: Path) -> None:
    assert load(folder, 'unclaimed_after = "1h30m"').unclaimed_after == timedelta(minutes=90)
    assert load(folder, TASKCFG_RESYNC_INTERVAL="5").resync_interval == timedelta(seconds=5)
    assert refusal(folder, TASKCFG_CONFIRM_TIMEOUT="soon").startswith(
        'TASKCFG_CONFIRM_TIMEOUT: expected a duration such as 30s, found "soon"'
    )


def test_an_unknown_setting_is_named_with_its_place_and_the_nearest_one(folder: Path) -> None:
    assert refusal(folder, 'databse_url = "x"') == (
        "taskcfg.toml: `databse_url` is not a setting | did you mean `database_url`?"
    )
    assert refusal(folder, TASKCFG_SOURCES="x") == (
        "the environment: `TASKCFG_SOURCES` is not a setting | did you mean `TASKCFG_SOURCE`?"
    )
    assert refusal(folder, flags={"zzz": 1}).endswith("docs/settings.md lists them all")


def test_a_setting_of_a_later_version_is_refused_not_ignored(folder: Path) -> None:
    assert "`allow_shell` is not supported by this version" in refusal(folder, "allow_shell = true")


def test_the_project_root_is_where_the_file_is_and_cannot_be_set(folder: Path) -> None:
    assert "`TASKCFG_PROJECT_ROOT` is not a setting" in refusal(folder, TASKCFG_PROJECT_ROOT="/")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("worker_lease = 'x'", 'worker_lease: expected a duration such as 30s, found "x"'),
        ("concurrency = 0", "concurrency: expected a whole number from 1 to 1000, found 0"),
        ("concurrency = true", "concurrency: expected a whole number from 1 to 1000, found true"),
        ("max_delete = -1", "max_delete: expected a whole number, 0 or more, found -1"),
        ("log_level = 'loud'", 'log_level: expected one of debug, info, warning, error, found "loud"'),
        ("source = ''", 'source: expected text of 1 to 200 letters, found ""'),
        ("database_url = 5", "database_url: expected text, found 5"),
        ("tasks_dir = ['a']", "tasks_dir: expected a path, found a list"),
        ("types = 5", "types: expected a list of texts, found 5"),
        ("types = [5]", "types: expected a list of texts, found a list"),
        ("[types]\na = 1", "types: expected a list of texts, found a table"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place_and_what_was_expected(
    folder: Path, toml: str, said: str
) -> None:
    message, _, hint = refusal(folder, toml).partition(" | ")

    assert message == f"taskcfg.toml: {said}"
    assert hint == "docs/settings.md lists what each setting takes"


def test_the_place_of_a_mistake_is_where_the_value_in_force_stands(folder: Path) -> None:
    assert refusal(folder, "concurrency = 2", TASKCFG_CONCURRENCY="many").startswith(
        'TASKCFG_CONCURRENCY: expected a whole number from 1 to 1000, found "many"'
    )
    assert refusal(folder, flags={"source": ""}).startswith("the command line: source: expected text")
    assert refusal(folder, "worker_heartbeat = '20s'").startswith(
        "taskcfg.toml: worker_heartbeat: worker_lease must be at least 40s, twice worker_heartbeat, found 30s"
    )


def test_a_password_is_not_repeated(folder: Path) -> None:
    assert "hunter2" not in refusal(folder, TASKCFG_MAX_DELETE="postgresql://u:hunter2@h/d")


def test_what_was_given_is_known_from_what_is_only_a_default(folder: Path) -> None:
    settings = load(folder, "source = 'main'", {"actor": None, "concurrency": 2}, TASKCFG_QUEUES="a")

    assert settings.given == {"source", "concurrency", "queues"}


@pytest.mark.parametrize("content", [b"source = [", b"\xff\xfe", b"source = 'a'\nsource = 'b'"])
def test_a_file_that_is_no_toml_is_named(folder: Path, content: bytes) -> None:
    (folder / "taskcfg.toml").write_bytes(content)

    with pytest.raises(InvalidSettings) as refused:
        load_settings(environ={}, folder=folder)

    assert refused.value.message.startswith(f"{folder}/taskcfg.toml: ")


def test_variables_of_tests_and_of_other_programs_are_none_of_ours(folder: Path) -> None:
    assert load(folder, TASKCFG_TEST_POSTGRES_URL="x", TASKCFGX="y", TASKCFG_FAILPOINTS="z").source == "main"


def test_every_setting_has_what_reads_it() -> None:
    assert [field.name for field in fields(Settings)] == ["project_root", *READERS, "given"]
