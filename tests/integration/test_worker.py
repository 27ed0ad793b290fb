"""Workers of our own: every attempt is recorded and runs once, however it ends."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stored import opened
from taskcfg.spec.policy import Delivery, Policy, Retry
from waiting import eventually
from workers import Project


@pytest.fixture
def project(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Project]:
    """PostgreSQL and RabbitMQ."""
    with opened(postgres_url) as database:
        project = Project(tmp_path, database, postgres_url, rabbitmq_url)
        yield project
        project.close()


def test_a_fire_is_run_recorded_and_done(project):
    project.start_worker()
    fire = project.fire()
    project.publish(fire)

    [row] = project.until(fire, ["succeeded"])

    assert row.result == {"attempt": 1}
    assert (row.attempt, row.dispatch_no, row.celery_retry) == (1, 1, 0)
    assert row.celery_id == fire.celery_id
    assert row.boot_id == project.boots()[0].id
    assert row.worker == project.boots()[0].name
    assert project.world.event().state == "done"
    assert f"execution.succeeded task={fire.task} attempt=1 duration=" in project.log


def test_a_message_published_a_hundred_times_runs_once(project):
    project.start_worker(concurrency=3)
    fire, last = project.fire(seconds=0.2), project.fire()
    project.publish(*[fire] * 100, last)

    project.until(last, ["succeeded"])
    eventually(lambda: project.log.count("execution.refused") == 99)

    assert project.states(fire) == ["succeeded"]
    assert project.lines().count(next(line for line in project.lines() if f"begin {fire.task}" in line)) == 1
    assert len([line for line in project.lines() if f"begin {fire.task}" in line]) == 1


def test_a_killed_pool_process_loses_its_attempt_at_once_and_the_fire_is_dispatched_anew(project):
    project.start_worker()
    fire = project.fire(seconds=3.0)
    project.publish(fire)
    os.kill(project.running_pid(), signal.SIGKILL)

    [lost] = project.until(fire, ["lost"])
    rows = project.until(fire, ["lost", "succeeded"], relaying=True)

    assert "its worker process died" in lost.error
    assert [row.dispatch_no for row in rows] == [1, 2]
    assert rows[0].celery_id != rows[1].celery_id


def test_a_killed_pool_process_loses_its_fire_for_good_where_it_may_run_at_most_once(project):
    project.start_worker()
    fire = project.fire(seconds=60.0, policy=Policy(delivery=Delivery.AT_MOST_ONCE))
    project.publish(fire)
    os.kill(project.running_pid(), signal.SIGKILL)

    project.until(fire, ["lost"])

    assert project.world.event().state == "done"


def test_an_attempt_that_fails_is_tried_again_through_the_outbox(project):
    project.start_worker()
    retry = Retry(attempts=2, delay=timedelta(seconds=0.1))
    fire = project.fire(how="badly at first", policy=Policy(retry=retry))
    project.publish(fire)

    first, second = project.until(fire, ["retrying", "succeeded"], relaying=True)

    assert first.error == "ValueError: it went badly"
    assert first.traceback.splitlines()[1].strip().startswith('File "')
    assert "workertypes.py" in first.traceback.splitlines()[1]
    assert (second.attempt, second.dispatch_no) == (2, 2)


def test_a_failure_without_attempts_left_ends_the_fire(project):
    project.start_worker()
    fire = project.fire(how="badly")
    project.publish(fire)

    project.until(fire, ["failed"])

    assert project.world.event().state == "done"


def test_a_fire_whose_task_no_worker_knows_says_so_and_waits(project):
    project.start_worker()
    fire = project.fire("celery", task="theirs.forgotten", args=[], kwargs={})
    project.publish(fire)

    event = eventually(lambda: next((each for each in project.world.events() if each.reason), None))

    worker = project.boots()[0].name
    assert event.reason == f"worker {worker} does not know the Celery task `theirs.forgotten`"
    assert (event.state, project.states(fire)) == ("published", [])


def test_a_body_that_exits_its_process_has_failed_and_the_worker_goes_on(project):
    project.start_worker()
    fire, after = project.fire(how="exit"), project.fire()
    project.publish(fire, after)

    [row] = project.until(fire, ["failed"])
    project.until(after, ["succeeded"])

    assert row.error == "SystemExit: 3"


def test_a_body_is_stopped_at_its_timeout(project):
    project.start_worker()
    fire = project.fire(seconds=60.0, policy=Policy(timeout=timedelta(seconds=1)))
    project.publish(fire)

    [row] = project.until(fire, ["timed_out"])

    assert row.error == "stopped at its timeout"
    assert "time.sleep" in row.traceback


def test_a_body_that_takes_no_notice_of_its_timeout_is_killed_and_recorded_once(project):
    project.start_worker()
    fire = project.fire("stubborn", policy=Policy(timeout=timedelta(seconds=1)))
    fire.message["time_limit"] = 2.0  # eight seconds sooner than is usual
    after = project.fire()
    project.publish(fire, after)

    [row] = project.until(fire, ["timed_out"])
    project.until(after, ["succeeded"])

    assert "hard limit" in row.error
    assert project.world.event(fire.event_id).state == "done"


def test_a_celery_task_that_retries_itself_keeps_its_fire_live_until_it_ends(project):
    project.start_worker()
    fire = project.fire("celery", task="theirs.flaky", args=[str(project.journal), 2], kwargs={})
    project.publish(fire)

    rows = project.until(fire, ["retrying", "retrying", "succeeded"])

    assert [(row.dispatch_no, row.celery_retry) for row in rows] == [(1, 0), (1, 1), (1, 2)]
    assert {row.celery_id for row in rows} == {fire.celery_id}
    assert rows[-1].result == "at last"
    assert project.world.event().state == "done"


def test_a_stopping_worker_finishes_what_it_began_and_signs_off(project):
    worker = project.start_worker()
    fire = project.fire(seconds=1.0)
    project.publish(fire)
    project.running_pid()

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(30) == 0
    assert project.states(fire) == ["succeeded"]
    assert [boot.alive for boot in project.boots()] == [False]


def test_an_attempt_that_a_cold_shutdown_cuts_off_is_lost_and_dispatched_anew(project):
    worker = project.start_worker()
    fire = project.fire(seconds=60.0)
    project.publish(fire)
    project.running_pid()

    worker.send_signal(signal.SIGQUIT)

    [row] = project.until(fire, ["lost"])
    worker.wait(30)
    assert row.error == "the worker was stopped while it ran"
    assert project.world.event().dispatch_no == 2
    assert [boot.alive for boot in project.boots()] == [False]


def test_a_worker_of_a_users_own_app_runs_fires_once_it_is_installed_there(project):
    project.start_their_worker()
    fires = [
        project.fire("celery", task="theirs.add", args=[1, 2], kwargs={}),
        project.fire("celery", task="theirs.classy", args=[3], kwargs={}),
        project.fire(),
    ]
    project.publish(*fires, *fires)

    results = [project.until(fire, ["succeeded"])[0].result for fire in fires]

    assert results == [3, {"called": [3]}, {"attempt": 1}]
    eventually(lambda: project.log.count("execution.refused") == 3)


def test_a_worker_of_a_users_own_app_logs_no_secret_that_its_task_returns_or_raises(project):
    (project.folder / "TOKEN").write_text('hunter2-"x"\n')
    project.configure(secrets_dir=str(project.folder))
    project.start_their_worker()
    good = project.fire("celery", task="theirs.add", args=["a ", "${secret:TOKEN}"], kwargs={})
    bad = project.fire(
        "celery", task="theirs.add", args=[{"${secret:TOKEN}": 1}, "${secret:TOKEN}"], kwargs={}
    )
    project.publish(good, bad)

    [row] = project.until(good, ["succeeded"])
    project.until(bad, ["failed"])

    assert row.result == "a ***"
    eventually(lambda: "succeeded in" in project.log and "raised unexpected" in project.log)
    assert "'a ***'" in project.log
    assert "hunter2" not in project.log + repr(project.world.executions())


def test_a_worker_serves_the_queues_of_live_tasks_also_those_that_come_later(project, queue_prefix):
    project.configure(worker_heartbeat=0.3)
    early = project.fire(queue=f"{queue_prefix}early")
    project.start_worker()
    project.publish(early)
    late = project.fire(queue=f"{queue_prefix}late")

    project.until(early, ["succeeded"], relaying=True)
    project.until(late, ["succeeded"], relaying=True)

    eventually(lambda: f"{queue_prefix}late" in (project.boots()[0].queues or ()))
    assert {*project.boots()[0].queues} == {"celery", f"{queue_prefix}early", f"{queue_prefix}late"}


def test_a_worker_told_which_queues_to_serve_serves_no_others(project, queue_prefix):
    project.configure(worker_heartbeat=0.3)
    mine, other = project.fire(queue=f"{queue_prefix}mine"), project.fire(queue=f"{queue_prefix}other")
    project.start_worker(queues=[f"{queue_prefix}mine"])
    project.publish(mine)
    renewed = project.boots()[0].renewed_at
    project.until(mine, ["succeeded"], relaying=True)
    eventually(lambda: project.boots()[0].renewed_at > renewed)

    assert project.boots()[0].queues == (f"{queue_prefix}mine",)
    assert project.states(other) == []


@pytest.mark.parametrize(
    ("failpoint", "states"),
    [
        ("gate.before_start=exit@1", ["succeeded"]),
        ("gate.after_start=exit@1", ["lost", "succeeded"]),
        ("gate.before_finish=exit@1", ["lost", "succeeded"]),
        ("gate.after_finish=exit@1", ["succeeded"]),
    ],
)
def test_wherever_a_pool_process_dies_its_fire_succeeds_once(project, failpoint: str, states: list[Any]):
    worker = project.start_worker(env={"TASKCFG_FAILPOINTS": failpoint})
    fire = project.fire()
    project.publish(fire)
    eventually(lambda: "exited" in project.log or "WorkerLostError" in project.log)
    eventually(lambda: project.world.event().state != "published")
    worker.kill()
    worker.wait()
    project.start_worker()

    project.until(fire, states, relaying=True)

    assert project.world.event().state == "done"
