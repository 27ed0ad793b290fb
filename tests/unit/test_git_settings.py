"""The settings of what is followed, and a repository's address."""

from pathlib import Path

import pytest

from taskcfg.errors import InvalidSettings
from taskcfg.settings import load_settings
from taskcfg.source.git.address import address_of


@pytest.mark.parametrize("ref", ["main", "release/1.2", "v1", "HEAD", "refs/heads/main", "a" * 40, "x"])
def test_a_ref_is_a_branch_a_tag_or_a_commit(ref: str, tmp_path: Path) -> None:
    assert load_settings({"git_ref": ref}, environ={}, folder=tmp_path).git_ref == ref


@pytest.mark.parametrize(
    "ref", ["", "--upload-pack=x", "a b", "a..b", "a:b", "*", "a/", ".a", "@{1}", "a\nb"]
)
def test_what_git_would_take_for_something_else_is_no_ref(ref: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="git_ref"):
        load_settings({"git_ref": ref}, environ={}, folder=tmp_path)


@pytest.mark.parametrize(
    ("given", "path"), [("tasks.d", "tasks.d"), ("./ops//tasks.d/", "ops/tasks.d"), (".", ".")]
)
def test_a_path_counts_from_the_top_of_the_repository(given: str, path: str, tmp_path: Path) -> None:
    assert load_settings({"git_path": given}, environ={}, folder=tmp_path).git_path == path


@pytest.mark.parametrize("path", ["", "/etc", "../x", "a/../../b"])
def test_a_path_never_leaves_the_repository(path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="git_path"):
        load_settings({"git_path": path}, environ={}, folder=tmp_path)


def test_an_interval_is_a_second_at_least(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="a duration of 1s or more"):
        load_settings({"git_interval": "0s"}, environ={}, folder=tmp_path)


def test_settings_do_not_show_the_repository_s_password(tmp_path: Path) -> None:
    settings = load_settings({"git_url": "https://me:hunter2@host/x"}, environ={}, folder=tmp_path)

    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "told", "shown"),
    [
        ("https://me:pass@host:8443/a.git", "https://host:8443/a.git", "https://host:8443/a.git"),
        ("https://token@host/a.git", "https://host/a.git", "https://host/a.git"),
        ("https://host/a@b.git", "https://host/a@b.git", "https://host/a@b.git"),
        ("ssh://git:pass@host/a.git", "ssh://git@host/a.git", "ssh://host/a.git"),
        ("git@host:a/b.git", "git@host:a/b.git", "git@host:a/b.git"),
        ("../repo", "/srv/repo", "/srv/repo"),
        ("/var/repo.git", "/var/repo.git", "/var/repo.git"),
    ],
)
def test_neither_git_s_command_line_nor_what_is_shown_holds_a_password(
    url: str, told: str, shown: str
) -> None:
    address = address_of(url, Path("/srv/project"))

    assert (address.url, address.shown) == (told, shown)
    assert "pass" not in repr(address)


def test_who_we_are_is_said_in_a_header_as_browsers_do() -> None:
    assert (
        address_of("https://me:p%40ss@host/a", Path("/")).authorization == "Authorization: Basic bWU6cEBzcw=="
    )
