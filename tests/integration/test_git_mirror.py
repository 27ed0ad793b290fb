"""A repository's commits, fetched by the real git, over files and over HTTP, and read out."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.git_server import GitServer, Repository, tasks
from taskcfg.clock import SystemClock
from taskcfg.errors import UnreachableRepository, UnreadableSource
from taskcfg.source.git.address import address_of
from taskcfg.source.git.mirror import Mirror
from waiting import eventually


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    server = GitServer(repository, "me", "hunter2")
    yield server
    server.close()


def mirror(tmp_path: Path, url: str, ref: str = "main") -> Mirror:
    return Mirror(address_of(url, tmp_path), ref, tmp_path / "git", SystemClock())


def fetching(tmp_path: Path) -> list[str]:
    """Return the command lines of what fetches into the copy, each with those of what it started."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if f"--git-dir={tmp_path}" in line:
                found += [line, *(" ".join(each.cmdline()) for each in process.children(recursive=True))]
        except psutil.Error:
            continue
    return found


def names(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def texts(copy: Mirror, path: str = "tasks.d") -> dict[str, str]:
    """Return what is read out of the commit that the ref is at, by path from the top."""
    with copy.reading(copy.fetch(), path) as place:
        top = place.parents[path.count("/")] if path != "." else place
        files = [each for each in top.rglob("*") if each.is_file() and not each.is_symlink()]
        return {str(each.relative_to(top)): each.read_text() for each in files}


def test_a_commit_is_fetched_with_its_author_and_subject(repository: Repository, tmp_path: Path) -> None:
    id_ = repository.declare("a", subject="Say «a»")

    commit = mirror(tmp_path, repository.url).fetch()

    assert (commit.id, commit.author, commit.subject) == (id_, "Ann <ann@example.org>", "Say «a»")


def test_what_belongs_to_the_tasks_is_read_out_and_nothing_else(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit(
        "All",
        {
            "ops/tasks.d/a.yaml": "a",
            "ops/tasks.d/_defaults.yaml": "d",
            "ops/tasks.d/deep/b.yml": "b",
            "ops/tasks.d/notes.md": "n",
            "ops/calendars/days.yaml": "c",
            "ops/environments/prod.yaml": "e",
            "ops/secret.yaml": "s",
            "other/x.yaml": "x",
        },
    )

    assert texts(mirror(tmp_path, repository.url), "ops/tasks.d") == {
        "ops/tasks.d/a.yaml": "a",
        "ops/tasks.d/_defaults.yaml": "d",
        "ops/tasks.d/deep/b.yml": "b",
        "ops/calendars/days.yaml": "c",
        "ops/environments/prod.yaml": "e",
    }


def test_files_are_read_as_they_are_whatever_attributes_say(repository: Repository, tmp_path: Path) -> None:
    repository.commit(
        "Attributes",
        {
            "tasks.d/a.yaml": "one\ntwo\n",
            "tasks.d/hidden.yaml": "$Id$\n",
            ".gitattributes": "*.yaml text eol=crlf ident\nhidden.yaml export-ignore\n",
        },
    )

    assert texts(mirror(tmp_path, repository.url)) == {
        "tasks.d/a.yaml": "one\ntwo\n",
        "tasks.d/hidden.yaml": "$Id$\n",
    }


def test_the_ref_is_followed_wherever_it_is_pushed(repository: Repository, tmp_path: Path) -> None:
    copy = mirror(tmp_path, repository.url)
    first = repository.declare("a")
    repository.declare("b")
    copy.fetch()

    repository.git("reset", "-q", "--hard", first)
    back = copy.fetch().id
    repository.git("commit", "-q", "--amend", "-m", "Another story")
    amended = copy.fetch()

    assert back == first
    assert amended.id == repository.git("rev-parse", "HEAD") != first
    assert amended.subject == "Another story"


def test_tags_and_commits_can_be_followed_and_a_branch_goes_before_a_tag(
    repository: Repository, tmp_path: Path
) -> None:
    tagged = repository.declare("a")
    repository.git("tag", "-a", "v1", "-m", "One")
    repository.git("tag", "main", tagged)
    newest = repository.declare("b")

    found = {ref: mirror(tmp_path, repository.url, ref).fetch().id for ref in ("v1", "main", "HEAD", tagged)}

    assert found == {"v1": tagged, "main": newest, "HEAD": newest, tagged: tagged}


def test_a_branch_whose_name_only_ends_alike_is_not_taken(repository: Repository, tmp_path: Path) -> None:
    repository.declare("a")
    repository.git("branch", "-m", "feature/main")

    with pytest.raises(UnreadableSource, match="no branch or tag `main`"):
        mirror(tmp_path, repository.url).fetch()


def test_an_empty_repository_has_no_such_ref(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="no branch or tag `main`"):
        mirror(tmp_path, repository.url).fetch()


def test_a_path_that_is_gone_is_not_an_empty_folder(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Moved", {"elsewhere/a.yaml": tasks("a"), "tasks.d": "a file"})
    copy = mirror(tmp_path, repository.url)
    commit = copy.fetch()

    for path, said in (("gone", "is not there"), ("tasks.d", "is no folder")):
        wanted = f"commit {commit.id[:12]}: `{path}` {said}"
        with pytest.raises(UnreadableSource, match=wanted), copy.reading(commit, path):
            pass


def test_a_submodule_is_refused_since_it_is_not_fetched(repository: Repository, tmp_path: Path) -> None:
    id_ = repository.declare("a")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{id_},tasks.d/vendor")
    repository.git("commit", "-q", "-m", "Submodule")
    copy = mirror(tmp_path, repository.url)

    with pytest.raises(UnreadableSource, match=r"`tasks.d/vendor` is a submodule"):
        texts(copy)


@pytest.mark.parametrize("target", ["/etc", "../../outside.yaml", "deep/../../../x"])
def test_a_link_out_of_the_repository_is_refused(repository: Repository, tmp_path: Path, target: str) -> None:
    repository.declare("a")
    (repository.folder / "tasks.d" / "b.yaml").symlink_to(target)
    repository.commit("Link", {})

    with pytest.raises(UnreadableSource, match=r"`tasks.d/b.yaml` is a link that leads out"):
        texts(mirror(tmp_path, repository.url))


def test_links_that_leave_through_other_links_are_refused_too(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Deep", {"tasks.d/one/two/x.yaml": "x", "tasks.d/top/y.yaml": "y"})
    (repository.folder / "tasks.d" / "one" / "two" / "up").symlink_to("../../../tasks.d")
    (repository.folder / "tasks.d" / "out.yaml").symlink_to("one/two/up/../../passwd.yaml")
    repository.commit("Links", {})

    with pytest.raises(UnreadableSource, match="leads out of the repository"):
        texts(mirror(tmp_path, repository.url))


def test_a_link_within_the_repository_is_followed(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Shared", {"shared/data.txt": tasks("b"), "shared/more/c.yaml": tasks("c")})
    repository.declare("a")
    (repository.folder / "tasks.d" / "b.yaml").symlink_to("../shared/data.txt")
    (repository.folder / "tasks.d" / "more").symlink_to("../shared/more")
    repository.commit("Links", {})
    copy = mirror(tmp_path, repository.url)

    with copy.reading(copy.fetch(), "tasks.d") as place:
        assert (place / "b.yaml").read_text() == tasks("b")
        assert (place / "more" / "c.yaml").read_text() == tasks("c")


def test_a_file_of_gigabytes_is_as_long_and_takes_no_room(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Large", {"tasks.d/a.yaml": "#" * 9_000_000})
    copy = mirror(tmp_path, repository.url)

    with copy.reading(copy.fetch(), "tasks.d") as place:
        status = (place / "a.yaml").stat()

    assert (status.st_size, status.st_blocks) == (9_000_000, 0)


def test_nothing_is_left_of_what_was_read_out(repository: Repository, tmp_path: Path) -> None:
    repository.declare("a")
    copy = mirror(tmp_path, repository.url)

    with copy.reading(copy.fetch(), "tasks.d") as place:
        there = place.is_dir()

    assert there
    assert not list((tmp_path / "git").glob("*/read-*"))


def test_what_a_killed_process_left_is_tidied_up(repository: Repository, tmp_path: Path) -> None:
    repository.declare("a")
    copy = mirror(tmp_path, repository.url)
    copy.fetch()
    (bare,) = (tmp_path / "git").glob("*/mirror")
    (bare / "refs" / "taskcfg" / "fetched.lock").touch()
    (bare / "shallow.lock").touch()
    (bare.parent / "read-abc").mkdir()
    newest = repository.declare("b")

    assert copy.fetch().id == newest
    assert names(bare.parent / "read-abc") == []
    assert not (bare.parent / "read-abc").exists()


@pytest.mark.parametrize("damage", ["objects", "HEAD", "config"])
def test_a_damaged_copy_is_made_anew(repository: Repository, tmp_path: Path, damage: str) -> None:
    repository.declare("a")
    copy = mirror(tmp_path, repository.url)
    copy.fetch()
    (bare,) = (tmp_path / "git").glob("*/mirror")
    for file in [bare / damage] if (bare / damage).is_file() else (bare / damage).rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"\0broken")

    newest = repository.declare("b")

    assert copy.fetch().id == newest
    assert texts(copy) == {"tasks.d/a.yaml": tasks("b")}


def test_no_hook_runs_and_nothing_of_the_caller_s_own_repository_is_used(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "home" / "hooks" / "reference-transaction"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (tmp_path / "home" / ".gitconfig").write_text(f"[core]\n\thooksPath = {hook.parent}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
    id_ = repository.declare("a")

    assert mirror(tmp_path, repository.url).fetch().id == id_
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "another").exists()


def test_a_host_that_wants_a_password_gets_it_and_nobody_else_sees_it(
    server: GitServer, tmp_path: Path
) -> None:
    id_ = server.repository.declare("a")
    copy = mirror(tmp_path, f"http://me:hunter2@{server.host}/repo")
    server.go.clear()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(copy.fetch().id))
    thread.start()
    assert server.holding.wait(20)
    lines = fetching(tmp_path)
    server.go.set()
    thread.join(30)

    assert found == [id_]
    assert any("fetch" in line for line in lines)
    assert "hunter2" not in "".join(lines)
    kept = [file.read_bytes() for file in (tmp_path / "git").rglob("*") if file.is_file()]
    assert not any(b"hunter2" in content or b"bWU6aHVudGVyMg" in content for content in kept)


def test_a_wrong_password_is_refused_without_asking_and_without_being_shown(
    server: GitServer, tmp_path: Path
) -> None:
    server.repository.declare("a")

    with pytest.raises(UnreachableRepository) as refused:
        mirror(tmp_path, f"http://me:wrong-one@{server.host}/repo").fetch()

    assert "wrong-one" not in refused.value.message
    assert f"http://{server.host}/repo cannot be fetched" in refused.value.message


def test_a_host_that_is_down_leaves_what_was_fetched(server: GitServer, tmp_path: Path) -> None:
    id_ = server.repository.declare("a")
    copy = mirror(tmp_path, f"http://me:hunter2@{server.host}/repo")
    copy.fetch()
    server.repository.declare("b")

    server.down = True
    with pytest.raises(UnreachableRepository):
        copy.fetch()

    commit = copy.known(id_)
    assert commit is not None and commit.id == id_
    server.down = False
    assert copy.fetch().id == server.repository.git("rev-parse", "HEAD")


def test_what_is_fetched_already_is_not_fetched_again(server: GitServer, tmp_path: Path) -> None:
    server.repository.declare("a")
    copy = mirror(tmp_path, f"http://me:hunter2@{server.host}/repo")

    for _ in range(3):
        copy.fetch()

    assert server.fetches == 1


def test_who_is_told_to_stop_ends_git_at_once(server: GitServer, tmp_path: Path) -> None:
    server.repository.declare("a")
    copy = mirror(tmp_path, f"http://me:hunter2@{server.host}/repo")
    server.go.clear()
    errors: list[Exception] = []

    def fetch() -> None:
        try:
            copy.fetch()
        except UnreachableRepository as error:
            errors.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    assert server.holding.wait(20)
    copy.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert len(errors) == 1
    eventually(lambda: not fetching(tmp_path), timeout=10)


def test_two_that_share_a_copy_take_turns(repository: Repository, tmp_path: Path) -> None:
    id_ = repository.declare("a")
    copies = [mirror(tmp_path, repository.url) for _ in range(4)]
    found: list[str] = []
    threads = [threading.Thread(target=lambda copy=copy: found.append(copy.fetch().id)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == [id_] * 4


def test_without_git_the_message_says_so(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    with pytest.raises(UnreachableRepository, match="the program `git` cannot be run"):
        mirror(tmp_path, repository.url).fetch()

    assert os.environ["PATH"] == str(tmp_path / "nothing")
