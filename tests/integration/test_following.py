"""What is followed is applied as it is, and what cannot be read changes nothing."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.git_server import GitServer, Repository, tasks
from stored import World, opened
from taskcfg.clock import SystemClock
from taskcfg.control.following import FollowedRepository
from taskcfg.control.syncing import Synced
from taskcfg.daemon.following import LONGEST_BACKOFF, STAND_BY, PullCue
from taskcfg.daemon.reconciler import Reconciler
from taskcfg.errors import Overtaken, UnreachableRepository, UnreadableSource
from taskcfg.settings import Settings, load_settings
from taskcfg.store import leases, sync_requests
from taskcfg.store.database import Engine, reading
from taskcfg.store.revisions import SourceRow, read_sources
from taskcfg.store.tables import revision
from taskcfg.testing import FakeClock
from taskcfg.types.registry import types_of


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    server = GitServer(repository, "me", "hunter2")
    yield server
    server.close()


class Followers:
    """Makes schedulers' reconcilers, each with a project folder of its own, on one database."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self._folder = folder
        self._number = 0

    def settings(self, **given: Any) -> Settings:
        self._number += 1
        folder = self._folder / f"project{self._number}"
        folder.mkdir()
        return load_settings(given, environ={}, folder=folder)

    def __call__(self, **given: Any) -> Reconciler:
        settings = self.settings(**given)
        return Reconciler(self.world.database, settings, types_of(settings), SystemClock())

    def live(self) -> dict[str, Any]:
        """Return the cron rule of each live task."""
        rows = self.world.tasks().items()
        return {name: row.schedule["cron"] for name, row in rows if row.retired_at is None}

    def source(self) -> SourceRow:
        with reading(self.world.database) as connection:
            (row,) = read_sources(connection)
            return row

    def revisions(self) -> list[Any]:
        with reading(self.world.database) as connection:
            return list(connection.execute(select(revision).order_by(revision.c.id)))


@pytest.fixture
def follow(world: World, tmp_path: Path) -> Followers:
    return Followers(world, tmp_path)


class TestRepository:
    def test_a_commit_is_applied_and_the_revision_tells_whose_it_is(
        self, follow: Followers, repository: Repository
    ) -> None:
        id_ = repository.declare("a", "b", subject="Two of them")

        synced = follow(git_url=repository.url).run_once()

        assert synced.applied is not None
        (row,) = follow.revisions()
        assert (row.commit, row.author, row.subject, row.dirty, row.actor) == (
            id_, "Ann <ann@example.org>", "Two of them", False, "scheduler",
        )  # fmt: skip
        source = follow.source()
        assert (source.commit, source.repo, source.folder) == (id_, repository.url, "tasks.d")
        assert (source.in_sync, source.problems) == (True, ())
        task = follow.world.task("a")
        assert (task.file, task.line, task.commit) == ("tasks.d/a.yaml", 2, id_)

    def test_defaults_calendars_and_variables_work_as_in_a_folder(
        self, follow: Followers, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOUR", "7")
        repository.commit(
            "All",
            {
                "ops/tasks.d/_defaults.yaml": "queue: slow\n",
                "ops/tasks.d/a.yaml": tasks("a", cron="0 ${env:HOUR} * * *").replace(
                    '"}', '", skip_on: [off]}'
                ),
                "ops/calendars/off.yaml": "dates: [2027-01-01]\n",
            },
        )

        synced = follow(git_url=repository.url, git_path="ops/tasks.d").run_once()

        assert synced.problems == ()
        row = follow.world.task("a")
        assert (row.queue, row.schedule["cron"]) == ("slow", "0 7 * * *")
        assert [each["calendar"] for each in row.schedule["skip_on"]] == ["off"]
        assert row.file == "ops/tasks.d/a.yaml"

    def test_a_scheduler_of_an_environment_applies_what_is_said_for_it(
        self, follow: Followers, repository: Repository
    ) -> None:
        repository.commit(
            "All",
            {
                "tasks.d/a.yaml": tasks("a"),
                "environments/prod.yaml": 'tasks: {a: {schedule: {cron: "0 5 * * *"}}}\n',
            },
        )

        synced = follow(git_url=repository.url, env="prod").run_once()

        assert synced.problems == ()
        assert follow.live() == {"a": "0 5 * * *"}

    def test_a_broken_commit_changes_nothing_and_is_named_until_it_is_mended(
        self, follow: Followers, repository: Repository
    ) -> None:
        good = repository.declare("a")
        scheduler = follow(git_url=repository.url)
        scheduler.run_once()
        broken = repository.commit(
            "Oops", {"tasks.d/a.yaml": "tasks:\n  a: {type: cleanup, shedule: manual}\n"}
        )

        refused = scheduler.run_once()

        source = follow.source()
        assert refused.applied is None
        assert follow.live() == {"a": "0 2 * * *"}
        assert (source.commit, source.in_sync) == (good, False)
        assert any(
            each.startswith(f"commit {broken[:12]}: tasks.d/a.yaml:2:") and "shedule" in each
            for each in source.problems
        ), source.problems
        follow.world.change_task("a", priority=9)
        scheduler.run_once()
        assert (follow.world.task("a").priority, follow.source().commit) == (5, good)
        assert len(follow.source().problems) == len(source.problems)
        mended = repository.declare("a", "b")
        scheduler.run_once()
        source = follow.source()
        assert (source.commit, source.in_sync, source.problems) == (mended, True, ())
        assert set(follow.live()) == {"a", "b"}

    def test_the_ref_is_followed_back_too(self, follow: Followers, repository: Repository) -> None:
        first = repository.declare("a", cron="0 1 * * *")
        repository.declare("a", cron="0 2 * * *")
        scheduler = follow(git_url=repository.url)
        scheduler.run_once()

        repository.git("reset", "-q", "--hard", first)
        scheduler.run_once()

        assert follow.live() == {"a": "0 1 * * *"}
        assert follow.source().commit == first

    def test_an_older_commit_is_never_applied_over_a_newer_one(
        self, follow: Followers, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.declare("a", cron="0 1 * * *")
        slow, quick = follow(git_url=repository.url), follow(git_url=repository.url)
        read = FollowedRepository.read
        between: list[Callable[[], Any]] = [quick.run_once, lambda: repository.declare("a", cron="0 9 * * *")]

        def interrupted(self: FollowedRepository, database: Engine) -> Any:
            found = read(self, database)
            while between:
                between.pop()()
            return found

        monkeypatch.setattr(FollowedRepository, "read", interrupted)
        slow.run_once()

        assert follow.live() == {"a": "0 9 * * *"}
        assert [row.commit for row in follow.revisions()] == [repository.git("rev-parse", "HEAD")]

    def test_one_that_is_always_overtaken_gives_up_and_applies_nothing(
        self, follow: Followers, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.declare("a")
        slow, other = follow(git_url=repository.url), follow(git_url=repository.url)
        read, number = FollowedRepository.read, iter(range(100))

        def overtaken(self: FollowedRepository, database: Engine) -> Any:
            found = read(self, database)
            monkeypatch.setattr(FollowedRepository, "read", read)
            repository.declare("a", cron=f"{next(number)} 9 * * *")
            other.run_once()
            monkeypatch.setattr(FollowedRepository, "read", overtaken)
            return found

        monkeypatch.setattr(FollowedRepository, "read", overtaken)
        synced = slow.run_once()

        assert isinstance(synced.error, Overtaken)
        assert follow.live() == {"a": "4 9 * * *"}

    def test_many_that_pull_the_same_apply_each_commit_once(
        self, follow: Followers, repository: Repository
    ) -> None:
        schedulers = [follow(git_url=repository.url) for _ in range(3)]
        for minute in range(3):
            repository.declare("a", cron=f"{minute} 2 * * *")
            threads = [threading.Thread(target=each.run_once) for each in schedulers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)

        assert [row.changes[0]["after"]["schedule"]["cron"] for row in follow.revisions()] == [
            "0 2 * * *",
            "1 2 * * *",
            "2 2 * * *",
        ]

    def test_without_the_host_the_last_good_state_stays_and_is_healed(
        self, follow: Followers, server: GitServer
    ) -> None:
        server.repository.declare("a")
        scheduler = follow(git_url=f"http://me:hunter2@{server.host}/repo")
        scheduler.run_once()
        server.down = True
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"})

        away = scheduler.run_once()

        assert isinstance(away.error, UnreachableRepository)
        assert [each.name for each in away.drifted] == ["a"]
        assert follow.live() == {"a": "0 2 * * *"}
        (problem,) = follow.source().problems
        assert f"http://{server.host}/repo cannot be fetched" in problem
        assert "hunter2" not in problem
        server.down = False
        scheduler.run_once()
        assert follow.source().problems == ()

    def test_without_the_host_a_commit_that_is_not_in_force_heals_nothing(
        self, follow: Followers, server: GitServer
    ) -> None:
        url = f"http://me:hunter2@{server.host}/repo"
        server.repository.declare("a")
        cut_off, other = follow(git_url=url), follow(git_url=url)
        cut_off.run_once()
        server.repository.declare("a", cron="0 9 * * *")
        other.run_once()
        server.down = True

        cut_off.run_once()

        assert follow.live() == {"a": "0 9 * * *"}

    @pytest.mark.parametrize("gone", ["ref", "path", "everything", "repository"])
    def test_what_is_gone_is_never_an_empty_source(
        self, follow: Followers, repository: Repository, gone: str
    ) -> None:
        repository.declare("a")
        scheduler = follow(git_url=repository.url)
        scheduler.run_once()
        match gone:
            case "ref":
                repository.git("branch", "-m", "another")
            case "path":
                repository.git("mv", "tasks.d", "elsewhere")
                repository.commit("Moved", {})
            case "everything":
                repository.commit("Gone", {"tasks.d/a.yaml": "tasks: {}\n"})
            case "repository":
                repository.folder.rename(repository.folder.with_name("moved"))

        synced = scheduler.run_once()

        assert synced.applied is None
        assert follow.live() == {"a": "0 2 * * *"}
        assert follow.source().in_sync is False
        assert len(follow.source().problems) == 1

    def test_a_guard_that_trips_shows_the_commit_and_the_flag(
        self, follow: Followers, repository: Repository
    ) -> None:
        repository.declare(*"abcdefgh")
        scheduler = follow(git_url=repository.url)
        scheduler.run_once()
        emptied = repository.declare("a", "b")

        scheduler.run_once()

        (problem,) = follow.source().problems
        assert problem.startswith(f"commit {emptied[:12]}: 6 tasks of 8 would be deleted")
        assert "--max-delete 6" in problem
        assert len(follow.live()) == 8


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "syntax error": lambda folder: (folder / "a.yaml").write_text("tasks: {a: [\n"),
    "unknown field": lambda folder: (folder / "a.yaml").write_text("tasks: {a: {typ: cleanup}}\n"),
    "not text": lambda folder: (folder / "a.yaml").write_bytes(b"\xff\xfe\x00\x01"),
    "unreadable file": lambda folder: replaced(folder / "a.yaml", lambda file: file.symlink_to("nowhere")),
    "no regular file": lambda folder: replaced(folder / "a.yaml", os.mkfifo),
    "too large": lambda folder: (folder / "a.yaml").write_text("#" * (8 * 2**20 + 1)),
    "broken defaults": lambda folder: (folder / "_defaults.yaml").write_text("queue: [\n"),
    "folder missing": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "folder empty": lambda folder: replaced(folder, Path.mkdir),
    "folder is a file": lambda folder: replaced(folder, lambda path: path.write_text("")),
    "what a link leads to is not mounted": lambda folder: (folder.parent / "shared").rename(
        folder.parent / "away"
    ),
}


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.rename(path.parent.parent / f"away-{path.name}")
    make(path)


class TestFolder:
    @pytest.fixture
    def follow(self, tmp_path: Path) -> Iterator[Followers]:
        with opened(f"sqlite:///{tmp_path}/taskcfg.db") as database:
            yield Followers(World(database), tmp_path)

    @pytest.mark.parametrize("what", BREAKAGES)
    def test_the_last_good_state_survives(self, follow: Followers, tmp_path: Path, what: str) -> None:
        folder = tmp_path / "files" / "tasks.d"
        for place, task in ((folder, "a"), (folder.parent / "shared", "b")):
            place.mkdir(parents=True)
            (place / f"{task}.yaml").write_text(tasks(task))
        (folder / "shared").symlink_to("../shared")
        scheduler = follow(tasks_dir=str(folder))
        scheduler.run_once()
        before = follow.world.task("a")

        BREAKAGES[what](folder)
        synced = scheduler.run_once()

        assert synced.applied is None
        assert follow.world.task("a") == before
        assert set(follow.live()) == {"a", "b"}
        source = follow.source()
        assert source.in_sync is False
        assert source.problems != ()


class TestDrift:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "files"
        folder.mkdir()
        (folder / "a.yaml").write_text(tasks("a", "b"))
        return folder

    def test_what_somebody_changed_by_hand_is_healed(
        self, follow: Followers, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        scheduler = follow(tasks_dir=str(folder))
        scheduler.run_once()
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"}, priority=9)

        healed = scheduler.run_once()

        assert [each.name for each in healed.drifted] == ["a"]
        assert follow.live() == {"a": "0 2 * * *", "b": "0 2 * * *"}
        assert "drift.healed source=main task=a fields=schedule.cron,priority" in caplog.text
        assert scheduler.run_once().drifted == ()

    def test_with_report_it_is_shown_once_and_left_alone(
        self, follow: Followers, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        scheduler = follow(tasks_dir=str(folder), reconcile="report")
        scheduler.run_once()
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"})

        for _ in range(3):
            scheduler.run_once()

        assert follow.live() == {"a": "5 5 * * *", "b": "0 2 * * *"}
        assert caplog.text.count("drift.found source=main task=a fields=schedule.cron") == 1
        source = follow.source()
        assert source.in_sync is False
        assert source.problems == (
            "task `a` was changed in the database by hand (schedule.cron): `taskcfg apply` undoes it",
        )

    def test_with_report_other_tasks_follow_their_files(self, follow: Followers, folder: Path) -> None:
        scheduler = follow(tasks_dir=str(folder), reconcile="report")
        scheduler.run_once()
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"})

        (folder / "a.yaml").write_text(tasks("a") + tasks("b", cron="0 7 * * *").removeprefix("tasks:\n"))
        scheduler.run_once()

        assert follow.live() == {"a": "5 5 * * *", "b": "0 7 * * *"}
        assert follow.world.task("a").version != follow.world.task("a").applied_version

    def test_with_report_a_task_whose_file_changed_is_what_the_file_says(
        self, follow: Followers, folder: Path
    ) -> None:
        scheduler = follow(tasks_dir=str(folder), reconcile="report")
        scheduler.run_once()
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"}, priority=9)

        (folder / "a.yaml").write_text(tasks("a", "b", cron="0 7 * * *"))
        scheduler.run_once()

        assert follow.live() == {"a": "0 7 * * *", "b": "0 7 * * *"}
        assert follow.world.task("a").priority == 5
        assert follow.source().problems == ()

    def test_with_report_what_is_put_back_by_hand_is_no_drift_any_more(
        self, follow: Followers, folder: Path
    ) -> None:
        scheduler = follow(tasks_dir=str(folder), reconcile="report")
        scheduler.run_once()
        follow.world.change_task("a", schedule={"cron": "5 5 * * *"})
        scheduler.run_once()

        follow.world.change_task("a", schedule={"cron": "0 2 * * *"})
        scheduler.run_once()

        assert follow.source().in_sync is True
        assert follow.world.task("a").version == follow.world.task("a").applied_version


class TestRequests:
    def test_one_takes_it_and_answers_all_who_asked_by_then(self, world: World) -> None:
        other = world.new_node()
        first = sync_requests.ask(world.database, "main", "ann")
        second = sync_requests.ask(world.database, "main", "bob")

        assert sync_requests.take(world.database, "main", world.node) == second
        assert sync_requests.take(world.database, "main", other) is None
        later = sync_requests.ask(world.database, "main", "cy")
        assert sync_requests.take(world.database, "main", other) is None  # one after the other
        sync_requests.answer(world.database, "main", second, {"commit": "c1"})

        found = sync_requests.look(world.database, "main")
        assert (first < second <= found.answered < later, found.outcome) == (True, {"commit": "c1"})
        assert sync_requests.take(world.database, "main", other) == later

    def test_what_a_dead_scheduler_took_another_takes(self, world: World) -> None:
        other = world.new_node()
        number = sync_requests.ask(world.database, "main", "ann")
        sync_requests.take(world.database, "main", other)

        world.kill_node(other)

        assert sync_requests.take(world.database, "main", world.node) == number

    def test_sources_are_asked_for_by_themselves(self, world: World) -> None:
        sync_requests.ask(world.database, "main", "ann")

        assert sync_requests.take(world.database, "other", world.node) is None

    def test_two_who_ask_at_once_have_numbers_of_their_own(self, world: World) -> None:
        numbers: list[int] = []
        threads = [
            threading.Thread(target=lambda: numbers.append(sync_requests.ask(world.database, "main", "x")))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


class TestPullCue:
    def cue(self, world: World, clock: FakeClock, settings: Settings) -> PullCue:
        return PullCue(world.database, world.new_node(), settings, clock)

    def test_one_of_many_pulls_at_the_interval_give_or_take_a_tenth(
        self, world: World, follow: Followers
    ) -> None:
        clock = FakeClock()
        settings = follow.settings(git_url="x", git_interval="60s")
        cues = [self.cue(world, clock, settings) for _ in range(3)]

        assert [cue.due() for cue in cues] == [True, False, False]
        cues[0].done(Synced())
        waited = 0
        while not cues[0].due():
            clock.sleep(1)
            waited += 1
            assert not cues[1].due()
        assert 54 <= waited <= 67

    def test_who_cannot_reach_the_host_leaves_it_to_another_and_waits_longer_and_longer(
        self, world: World, follow: Followers
    ) -> None:
        clock = FakeClock()
        settings = follow.settings(git_url="x", git_interval="60s")
        cut_off, other = (self.cue(world, clock, settings) for _ in range(2))
        assert cut_off.due()
        cut_off.done(Synced(error=UnreachableRepository("x", "no route")))

        assert not cut_off.due()
        assert other.due()
        leases.release_all(world.database, other._node_id)
        waits = []
        for _ in range(7):
            waited = 0
            while not cut_off.due():
                clock.sleep(1)
                waited += 1
            cut_off.done(Synced(error=UnreachableRepository("x", "no route")))
            waits.append(waited)
        assert waits[0] < waits[1] < waits[2] < waits[3]
        assert waits[-1] <= LONGEST_BACKOFF.total_seconds() * 1.1 + 1

    def test_when_the_one_that_pulls_dies_another_does_without_waiting_for_the_lease(
        self, world: World, follow: Followers
    ) -> None:
        clock = FakeClock()
        settings = follow.settings(git_url="x", git_interval="60s")
        dying, other = (self.cue(world, clock, settings) for _ in range(2))
        assert (dying.due(), other.due()) == (True, False)

        world.kill_node(dying._node_id)
        clock.sleep(STAND_BY)

        assert other.due()

    def test_another_problem_is_no_reason_to_wait_longer(self, world: World, follow: Followers) -> None:
        clock = FakeClock()
        cue = self.cue(world, clock, follow.settings(git_url="x", git_interval="60s"))
        for _ in range(3):
            cue.due()
            cue.done(Synced(error=UnreadableSource("gone")))
        clock.sleep(67)

        assert cue.due()
