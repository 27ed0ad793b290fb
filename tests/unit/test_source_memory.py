"""What is remembered of task files: whatever is edited, the outcome is that of reading everything anew."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from taskcfg.settings import Settings
from taskcfg.source.environments import NO_ENVIRONMENT, Environments
from taskcfg.source.loader import Loaded, load_folder
from taskcfg.source.memory import Memory, memory_of
from taskcfg.types.registry import Registry

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
TASK = "type: celery, params: {task: app.work}"
PLAIN = f"tasks: {{NAME: {{{TASK}, schedule: {{every: 1h}}}}}}"

TASKS = (
    PLAIN,
    f"# moved\n\n{PLAIN}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{cron: '30 2 * * *', timezone: Europe/Berlin}}}}}}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{every: 1h, end: 2026-03-28T18:00:00Z}}}}}}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{at: 2026-03-28T18:00:00Z}}}}}}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{cron: '0 3 * * *', skip_on: closed}}}}}}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{every: 1h}}, queue: '${{env:QUEUE:-slow}}'}}}}",
    f'tasks: {{NAME: {{{TASK}, schedule: {{every: 1h}}, queue: "\\x24{{env:QUEUE:-slow}}"}}}}',
    f"tasks: {{NAME: {{{TASK}, schedule: {{every: 1h}}, timeout: 2h, retry: {{delay: 1m}}}}}}",
    f"tasks: {{NAME: {{{TASK}, schedule: {{every: 1h}}, renamed_from: old}}}}",
    f"tasks: {{shared: {{{TASK}, schedule: {{every: 1h}}}}}}",
    "tasks: {NAME: {type: http, params: {url: 'https://example.org'}, schedule: {every: 2h}}}",
    "tasks: {NAME: {type: celery, params: {task: a, kwargs: {k: '${secret:KEY}'}}, schedule: manual}}",
    "tasks: {NAME: {type: celery, params: {task: celery.mine}, schedule: manual}}",
    "tasks: {NAME: {type: http, schedule: {every: 1h}}}",
    "tasks: {NAME: {type: nothing, schedule: {every: 1h}}}",
    "tasks: [",
    "",
)
DEFAULTS = (
    "owner: me",
    "queue: '${env:QUEUE:-slow}'",
    "retry: {attempts: 3}",
    "retry: {delay: 1h, max_delay: 1m}",
    "schedule: {skip_on: closed}",
    "params: {kwargs: {a: 1}}",
    "ouner: me",
    "[",
)
CALENDARS = ("dates: [2026-12-24]", "weekdays: [SUN]", "dates: [never]", "[")
OVERLAYS = (
    "tasks: {a: {queue: fast}}",
    "tasks: {a: {schedule: {cron: '0 4 * * *', skip_on: closed}}}",
    "tasks: {b: {owner: '${env:QUEUE:-nobody}'}}",
    "defaults: {timeout: 3h}\ntasks: {b: {}}",
    "tasks: {nobody: {queue: fast}}",
    "[",
)
FILES = {
    **{f"{name}.yaml": TASKS for name in ("a", "below/b", "below/c")},
    **{f"{name}_defaults.yaml": DEFAULTS for name in ("", "below/")},
    "calendars/closed.yaml": CALENDARS,
    "environments/prod.yaml": OVERLAYS,
}
READ = (NO_ENVIRONMENT, Environments(check_all=True), Environments("prod", ("prod",)))


@dataclass
class Folder:
    """A tasks folder, what was remembered of it, and when and for what it is read."""

    root: Path
    now: datetime = NOON
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> Path:
        return self.root / "tasks.d"

    def write(self, name: str, text: str) -> None:
        path = self.tasks / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", Path(name).stem), encoding="utf-8")

    def read(self, environments: Environments = NO_ENVIRONMENT, memory: Memory | None = None) -> Loaded:
        return load_folder(
            self.tasks,
            Registry(),
            root=self.root,
            now=self.now,
            environment=self.variables,
            environments=environments,
            memory=memory,
        )

    def recalled(self, environments: Environments = NO_ENVIRONMENT) -> Loaded:
        project = Settings(
            project_root=self.root, tasks_dir=self.tasks, database_url="sqlite://", broker_url="memory://"
        )
        return self.read(environments, memory_of(project, environments))


def outcome(loaded: Loaded) -> tuple[object, ...]:
    """Everything there is to say of *loaded*, also what takes no part in equality."""
    specs = [
        (spec.name, spec.position, spec.renamed_from, spec.document(), spec.digest) for spec in loaded.specs
    ]
    return (specs, loaded.problems, loaded.files, loaded.tasks, loaded.digests, loaded.digest)


class Editing(RuleBasedStateMachine):
    """Somebody edits, the clock goes on, variables change; after each step everything is read."""

    def __init__(self) -> None:
        super().__init__()
        self._temporary = TemporaryDirectory()
        self.folder = Folder(Path(self._temporary.name))
        for name in ("a", "b"):
            self.folder.write(f"{name}.yaml", PLAIN)

    def teardown(self) -> None:
        self._temporary.cleanup()

    @rule(name=st.sampled_from(sorted(FILES)), data=st.data())
    def write(self, name: str, data: st.DataObject) -> None:
        self.folder.write(name, data.draw(st.sampled_from(FILES[name])))

    @rule(name=st.sampled_from([*sorted(FILES), "below"]))
    def remove(self, name: str) -> None:
        path = self.folder.tasks / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @rule(name=st.sampled_from(sorted(FILES)), other=st.sampled_from(sorted(FILES)))
    def move(self, name: str, other: str) -> None:
        path = self.folder.tasks / name
        if path.exists():
            (self.folder.tasks / other).parent.mkdir(exist_ok=True)
            path.replace(self.folder.tasks / other)

    @rule(later=st.sampled_from((timedelta(hours=7), timedelta(days=1), timedelta(days=200))))
    def wait(self, later: timedelta) -> None:
        self.folder.now += later

    @rule(value=st.sampled_from(("", "fast", "not a queue \N{SNOWMAN}" * 20)))
    def set_variable(self, value: str) -> None:
        self.folder.variables["QUEUE"] = value

    @rule()
    def unset_variable(self) -> None:
        self.folder.variables.clear()

    @invariant()
    def what_is_recalled_is_what_is_read(self) -> None:
        for environments in READ:
            anew = outcome(self.folder.read(environments))
            for _ in range(2):
                assert outcome(self.folder.recalled(environments)) == anew


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    for number in range(3):
        folder.write(f"t{number}.yaml", PLAIN)
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are parsed from now on."""
    from taskcfg.source import reading

    names: list[str] = []
    read_yaml = reading.read_yaml

    def noted(content: bytes, findings: reading.Findings) -> list[reading.Node]:
        names.append(findings.file)
        return read_yaml(content, findings)

    monkeypatch.setattr(reading, "read_yaml", noted)
    return names


def memory_files(folder: Folder) -> list[Path]:
    return sorted(folder.root.glob(".taskcfg/cache/tasks-*"))


def test_only_what_changed_is_parsed_again(folder: Folder, parsed: list[str]) -> None:
    folder.recalled()
    parsed.clear()
    folder.recalled()
    assert parsed == []

    folder.write("t1.yaml", TASKS[1])
    folder.recalled()

    assert parsed == ["tasks.d/t1.yaml"]


def test_a_file_of_defaults_is_a_change_of_what_lies_below_it(folder: Folder, parsed: list[str]) -> None:
    folder.write("below/b.yaml", PLAIN)
    folder.recalled()
    parsed.clear()

    folder.write("below/_defaults.yaml", "owner: me")
    (b,) = [spec for spec in folder.recalled().specs if spec.name == "b"]

    assert parsed == ["tasks.d/below/_defaults.yaml", "tasks.d/below/b.yaml"]
    assert b.owner == "me"


def test_a_variable_that_defaults_refer_to_is_a_change_of_what_lies_below_them(folder: Folder) -> None:
    folder.write("_defaults.yaml", "queue: '${env:QUEUE}'")
    queues = []

    for value in ("fast", "slow"):
        folder.variables["QUEUE"] = value
        queues.append({spec.queue for spec in folder.recalled().specs})

    assert queues == [{"fast"}, {"slow"}]


def test_what_a_checked_environment_says_is_checked_each_time(folder: Folder) -> None:
    every = Environments(check_all=True)
    folder.write("environments/prod.yaml", "tasks: {t1: {schedule: {cron: '0 4 * * *', only_on: open}}}")
    folder.write("calendars/open.yaml", "weekdays: [SUN]")
    assert folder.recalled(every).problems == ()

    folder.write("calendars/open.yaml", "dates: [2020-01-01]")

    assert [problem.position.file for problem in folder.recalled(every).problems] == [
        "tasks.d/environments/prod.yaml"
    ]


def test_a_day_later_everything_is_looked_at_again(folder: Folder, parsed: list[str]) -> None:
    folder.recalled()
    parsed.clear()

    folder.now += timedelta(days=1)
    folder.recalled()

    assert len(parsed) == 3


def test_with_an_error_anywhere_nothing_new_is_remembered(folder: Folder, parsed: list[str]) -> None:
    folder.write("broken.yaml", "tasks: [")
    folder.recalled()

    assert memory_files(folder) == []


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 100])
def test_a_damaged_memory_is_none(folder: Folder, parsed: list[str], damage: bytes) -> None:
    anew = outcome(folder.recalled())
    (file,) = memory_files(folder)
    whole = file.read_bytes()
    parsed.clear()

    file.write_bytes(damage or whole[:-1])

    assert outcome(folder.recalled()) == anew
    assert len(parsed) == 3
    assert file.read_bytes() == whole


def test_another_version_of_taskcfg_reads_everything_anew(
    folder: Folder, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.recalled()
    parsed.clear()

    monkeypatch.setattr("taskcfg.source.memory.pydantic.VERSION", "another")
    folder.recalled()

    assert len(parsed) == 3


def test_where_nothing_can_be_written_nothing_is_remembered_and_nothing_fails(
    folder: Folder, parsed: list[str]
) -> None:
    (folder.root / ".taskcfg").write_text("a file where a folder should be")

    assert folder.recalled().valid
    assert folder.recalled().valid
    assert len(parsed) == 6


def test_git_never_sees_it(folder: Folder) -> None:
    folder.recalled()

    assert (folder.root / ".taskcfg/cache/.gitignore").read_text().endswith("\n*\n")
    assert {path.stat().st_mode & 0o077 for path in memory_files(folder)} == {0}


def test_nothing_but_what_is_whole_is_left_behind(folder: Folder) -> None:
    folder.recalled()
    folder.write("t1.yaml", TASKS[1])
    folder.recalled()

    left = {path.name for path in (folder.root / ".taskcfg/cache").iterdir()}
    assert left == {".gitignore", *(path.name for path in memory_files(folder))}
    assert len(left) == 2
