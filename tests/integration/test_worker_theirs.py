"""Workers of a user's own Celery app, run by `celery -A`: our fires are recorded, the rest is as it was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stored import opened
from taskcfg.celery import make_app
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.spec.policy import Overlap, OverlapMode, Policy
from taskcfg.types.registry import Registry
from waiting import eventually
from workers import Project

APP = """
import os, time
from pathlib import Path
from celery import Celery, Task, shared_task, signals
from kombu import Queue
import taskcfg.celery
from taskcfg.celery import current_fire

app = Celery("theirs", broker="{broker_url}")
app.conf.task_queues = [
    Queue("{prefix}plain"), Queue("{prefix}quorum", queue_arguments={"x-queue-type": "quorum"}),
]
app.conf.task_default_queue = "{prefix}plain"
taskcfg.celery.install(app)
JOURNAL = Path("journal")

def note(*words):
    with JOURNAL.open("a") as file:
        file.write(" ".join(str(word) for word in words) + "\\n")

class Base(Task):
    def __call__(self, *args, **kwargs):
        note("base", self.name)
        return super().__call__(*args, **kwargs)

@signals.task_prerun.connect
def before(task, **_):
    note("prerun", task.name)

@signals.task_postrun.connect
def after(task, state, **_):
    note("postrun", task.name, state)

@shared_task(name="theirs.shared")
def shared(word):
    note("shared", word, current_fire() and current_fire().task)
    return word

@app.task(name="theirs.based", base=Base, bind=True, ignore_result=True)
def based(self, word):
    note("based", word, sorted(key for key in (self.request.headers or {}) if key.startswith("taskcfg")))
    return word

@app.task(name="theirs.calling", base=Base)
def calling(word):
    based.delay(word)
    return shared(word) + based(word)

@app.task(name="theirs.retried", autoretry_for=(OSError,), retry_kwargs={"countdown": 0}, bind=True)
def retried(self, word):
    if self.request.retries == 0:
        raise OSError("busy")
    return word

class Classy(Task):
    name = "theirs.classy"
    def run(self, word, *, loud=False):
        return word.upper() if loud else word

app.register_task(Classy())

@app.task(name="theirs.slow", acks_late=True, reject_on_worker_lost=True)
def slow(seconds):
    note("begin", os.getpid())
    time.sleep(seconds)

@app.task(name="theirs.slow_again", acks_late=True, retry_on_worker_lost=True, default_retry_delay=0)
def slow_again(seconds):
    note("begin", os.getpid())
    time.sleep(seconds)
"""

ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


@pytest.fixture
def project(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Project]:
    """PostgreSQL and RabbitMQ."""
    with opened(postgres_url) as database:
        project = Project(tmp_path, database, postgres_url, rabbitmq_url)
        yield project
        project.close()


@pytest.fixture
def light(tmp_path: Path, sqlite_url: str) -> Iterator[Project]:
    """SQLite and the embedded broker."""
    with opened(sqlite_url) as database:
        project = Project(tmp_path, database, sqlite_url, f"embedded:///{tmp_path}/broker.db")
        yield project
        project.close()


def their_app(prefix: str) -> str:
    return APP.replace("{prefix}", prefix)


def test_fires_of_every_kind_of_task_are_recorded_and_other_messages_see_no_change(project, queue_prefix):
    plain, quorum = f"{queue_prefix}plain", f"{queue_prefix}quorum"
    project.start_their_worker("-c", "2", text=their_app(queue_prefix))
    fires = {
        "shared": project.fire("celery", task="theirs.shared", args=["a"], kwargs={}, queue=plain),
        "based": project.fire("celery", task="theirs.based", args=["b"], kwargs={}, queue=quorum),
        "retried": project.fire("celery", task="theirs.retried", args=["d"], kwargs={}, queue=quorum),
        "classy": project.fire(
            "celery", task="theirs.classy", args=["e"], kwargs={"loud": True}, queue=plain
        ),
    }
    project.publish(*fires.values())
    results = {}
    for name, fire in fires.items():
        states = ["retrying", "succeeded"] if name == "retried" else ["succeeded"]
        results[name] = project.until(fire, states)[-1].result

    assert results == {"shared": "a", "based": "b", "retried": "d", "classy": "E"}
    assert f"shared a {fires['shared'].task}" in project.lines()
    assert project.lines().count("base theirs.based") == 1
    eventually(lambda: sum(line.startswith("postrun") for line in project.lines()) == len(fires) + 1)
    before = len(project.lines())
    project.send("theirs.based", "x", queue=plain)
    project.until_line(lambda line: line == "based x []")
    eventually(lambda: len(project.lines()) >= before + 4)
    assert project.lines()[before:] == [
        "prerun theirs.based", "base theirs.based", "based x []", "postrun theirs.based SUCCESS",
    ]  # fmt: skip
    assert len(project.world.executions()) == 5

    calling = project.fire("celery", task="theirs.calling", args=["c"], kwargs={}, queue=plain)
    ungated = project.fire(
        "celery", task="theirs.based", args=["g"], kwargs={}, gate=False, queue=plain, policy=ALLOW
    )
    project.publish(calling, ungated)

    [row] = project.until(calling, ["succeeded"])
    assert row.result == "cc"
    project.until_line(lambda line: line == "based g []")
    assert project.world.event(ungated.event_id).state == "done"
    assert project.states(ungated) == []
    assert len(project.world.executions()) == 6  # nothing of what `calling` sent


def test_a_killed_process_is_noticed_also_where_celery_gives_the_message_back(project, queue_prefix):
    project.start_their_worker(text=their_app(queue_prefix))
    shared = {"kwargs": {}, "queue": f"{queue_prefix}plain"}
    slow = project.fire("celery", task="theirs.slow", args=[1.5], **shared)
    project.publish(slow)
    os.kill(project.running_pid(), signal.SIGKILL)

    rows = project.until(slow, ["lost", "succeeded"], relaying=True)
    assert [row.dispatch_no for row in rows] == [1, 2]

    project.journal.unlink()
    again = project.fire("celery", task="theirs.slow_again", args=[1.5], **shared)
    project.publish(again)
    os.kill(project.running_pid(), signal.SIGKILL)

    rows = project.until(again, ["retrying", "succeeded"])
    assert [(row.dispatch_no, row.celery_retry) for row in rows] == [(1, 0), (1, 1)]


def test_taskcfg_worker_runs_the_app_with_its_own_queues_and_those_of_its_routing(project, queue_prefix):
    routes = f'app.conf.task_routes = {{"theirs.shared": {{"queue": "{queue_prefix}routed"}}}}\n'
    (project.folder / "theirs.py").write_text(
        their_app(queue_prefix).replace("{broker_url}", project.settings["broker_url"]) + routes
    )
    project.configure(celery_app="theirs:app", worker_heartbeat=0.3)
    quorum = project.fire("celery", task="theirs.based", args=["q"], kwargs={}, queue=f"{queue_prefix}quorum")
    routed = project.fire("celery", task="theirs.shared", args=["r"], kwargs={})
    ours = project.fire(queue=f"{queue_prefix}plain")
    foreign = project.fire(
        "celery",
        task="elsewhere",
        args=[],
        kwargs={},
        gate=False,
        queue=f"{queue_prefix}foreign",
        policy=ALLOW,
    )
    project.start_worker()
    eventually(lambda: f"{queue_prefix}routed" in (project.boots()[0].queues or ()))
    app = make_app(project.read_settings(), Registry())
    app.conf.task_routes = {"theirs.shared": {"queue": f"{queue_prefix}routed"}}
    dispatcher = CeleryDispatcher(app)
    project.world.outbox.record(list(zip([routed], dispatcher.send([routed]), strict=True)))
    dispatcher.close()
    project.publish(quorum, ours)

    for fire in (quorum, routed, ours):
        project.until(fire, ["succeeded"], relaying=True)

    assert {*project.boots()[0].queues} == {f"{queue_prefix}{each}" for each in ("plain", "quorum", "routed")}
    assert project.world.event(foreign.event_id).state == "pending"


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_pools_that_cannot_stop_a_task_say_so_and_record_all_the_same(light, pool):
    light.start_their_worker("-P", pool, "-c", "2", text=their_app(""))
    fire = light.fire("celery", task="theirs.based", args=["b"], kwargs={}, queue="plain")
    light.publish(fire)
    light.send("theirs.shared", "x", queue="plain")

    [row] = light.until(fire, ["succeeded"])
    light.until_line(lambda line: line == "shared x None")

    assert row.boot_id == light.boots()[0].id
    assert "cannot stop a task: `timeout` is not kept there" in light.log


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"database_url": "sqlite:///empty.db"}, "has no tables yet"),
        ({"types": ["no_such_module"], "database_url": "sqlite:///empty.db"}, "no module is named `no_such_"),
        ({"broker_url": "embedded:////nowhere/broker.db"}, "this app's workers read from"),
    ],
    ids=["schema", "types", "broker"],
)
def test_what_is_wrong_with_taskcfg_is_said_and_leaves_other_tasks_alone(light, settings, said):
    light.configure(**settings)
    light.start_their_worker(text=their_app(""), ready=False)
    light.send("theirs.shared", "x", queue="plain")
    light.until_line(lambda line: line == "shared x None")

    fire = light.fire("celery", task="theirs.shared", args=["ours"], kwargs={}, queue="plain")
    light.publish(fire)

    eventually(lambda: said in light.log, message=lambda: light.log)

    assert "Traceback" not in light.log
    if "database_url" in settings:
        eventually(lambda: "execution.left" in light.log, message=lambda: light.log)
        assert light.states(fire) == []
        assert light.world.event().state == "published"


def test_settings_that_cannot_be_read_leave_our_fires_for_later(light):
    light.start_their_worker(text=their_app(""), env={"TASKCFG_CONCURRENCY": "many"}, ready=False)
    light.send("theirs.shared", "x", queue="plain")
    light.until_line(lambda line: line == "shared x None")

    fire = light.fire("celery", task="theirs.shared", args=["ours"], kwargs={}, queue="plain")
    light.publish(fire)

    eventually(lambda: "execution.left" in light.log, message=lambda: light.log)

    assert "TASKCFG_CONCURRENCY" in light.log and "Traceback" not in light.log
    assert light.states(fire) == []


def test_a_database_out_of_reach_holds_our_fires_and_no_others(light):
    light.configure(database_url="postgresql://nobody@127.0.0.1:1/none")
    light.start_their_worker("-c", "2", text=their_app(""), ready=False)
    light.send("theirs.shared", "w", queue="plain")
    light.until_line(lambda line: line == "shared w None")
    fire = light.fire("celery", task="theirs.shared", args=["ours"], kwargs={}, queue="plain")
    light.publish(fire)
    eventually(lambda: "the worker waits for it" in light.log, message=lambda: light.log)

    light.send("theirs.shared", "x", queue="plain")

    light.until_line(lambda line: line == "shared x None")
    assert not any(line.startswith("shared ours") for line in light.lines())
