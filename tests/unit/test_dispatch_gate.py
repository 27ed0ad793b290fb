"""The gate, under Celery's own tracer: what becomes of an attempt, and of its message."""

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task, shared_task
from celery.app.task import Context
from celery.app.trace import build_tracer
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from ledger import NOON, MemoryRecords
from taskcfg.dispatch.gate import Gate, current_fire, dispatched_of
from taskcfg.dispatch.gated import GatedTask, gate_tasks
from taskcfg.spec.fires import ExecutionState

BOOT = uuid.uuid4()
WORKER = "celery@here"


class App(Celery):
    """A Celery app whose messages are delivered in this process."""

    def deliver(self, name: str, *args: Any, headers: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Run the task as a worker's child does; return Celery's verdict and the result."""
        id_ = str(uuid.uuid4())
        request = {"id": id_, "task": name, "retries": 0, "hostname": WORKER, "is_eager": False}
        request["delivery_info"] = {"exchange": "", "routing_key": "celery"}
        request["headers"] = None
        task = self.tasks[name]
        tracer = build_tracer(name, task, app=self)
        verdict = tracer(id_, list(args), kwargs, {**request, **(headers or {})})
        return verdict.info.state if verdict.info else "SUCCESS", verdict.retval


def fire_headers(dispatch: int = 1) -> dict[str, Any]:
    return {"taskcfg_event": str(uuid.uuid4()), "taskcfg_dispatch": dispatch, "id": str(uuid.uuid4())}


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def app() -> Iterator[App]:
    app = App("demo", broker="memory://", backend=None, set_as_current=False)
    app.conf.task_ignore_result = True
    yield app
    app.close()


@pytest.fixture
def gate(records: MemoryRecords) -> Gate:
    return Gate(lambda: records, lambda: BOOT)


def raising(app: App, gate: Gate, error: BaseException) -> str:
    @app.task(name="demo.raising", shared=False)
    def body() -> None:
        raise error

    gate_tasks(app, gate)
    return "demo.raising"


def test_a_successful_attempt_is_recorded_with_its_result(app, gate, records, caplog):
    caplog.set_level(logging.INFO, logger="taskcfg.worker")

    @app.task(name="demo.add", shared=False)
    def add(first: int, second: int) -> int:
        return first + second

    gate_tasks(app, gate)
    headers = fire_headers(dispatch=3)
    app.deliver("demo.add", 1, second=2, headers=headers)

    [outcome], [dispatched] = records.outcomes, records.dispatched
    assert (outcome.state, outcome.result) == (ExecutionState.SUCCEEDED, 3)
    assert str(dispatched.event_id) == headers["taskcfg_event"]
    assert str(dispatched.celery_id) == headers["id"]
    assert (dispatched.dispatch_no, dispatched.celery_retry) == (3, 0)
    assert (dispatched.worker, dispatched.boot_id) == (WORKER, BOOT)
    assert caplog.messages[0].startswith("execution.succeeded task=nightly attempt=1 duration=0.0")


def test_the_same_message_again_is_dropped_without_running_its_body(app, gate, records, caplog):
    ran: list[int] = []

    @app.task(name="demo.once", shared=False)
    def once() -> None:
        ran.append(1)

    gate_tasks(app, gate)
    headers = fire_headers()
    verdicts = [app.deliver("demo.once", headers=headers)[0] for _ in range(3)]

    assert ran == [1]
    assert verdicts == ["SUCCESS", "IGNORED", "IGNORED"]
    refused = [message for message in caplog.messages if message.startswith("execution.refused")]
    assert len(refused) == 2
    assert headers["taskcfg_event"] in refused[0]


def test_a_failure_is_recorded_with_the_task_s_own_traceback_and_celery_sees_it_too(app, gate, records):
    state, error = app.deliver(raising(app, gate, ValueError("no such tenant")), headers=fire_headers())

    [outcome] = records.outcomes
    assert (state, repr(error.exception)) == ("FAILURE", "ValueError('no such tenant')")
    assert (outcome.state, outcome.error) == (ExecutionState.FAILED, "ValueError: no such tenant")
    assert outcome.traceback.splitlines()[0] == "Traceback (most recent call last):"
    assert "test_dispatch_gate.py" in outcome.traceback.splitlines()[1]


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (KeyError("a"), ExecutionState.FAILED, "KeyError: 'a'"),
        (ValueError(), ExecutionState.FAILED, "ValueError"),
        (SoftTimeLimitExceeded(), ExecutionState.TIMED_OUT, "stopped at its timeout"),
        (Reject("broken", requeue=False), ExecutionState.FAILED, "Reject: broken"),
        (Ignore(), ExecutionState.SUCCEEDED, None),
    ],
)
def test_what_a_body_raises_decides_how_its_attempt_ended(app, gate, records, error, state, text):
    app.deliver(raising(app, gate, error), headers=fire_headers())

    [outcome] = records.outcomes
    assert (outcome.state, outcome.error) == (state, text)


@pytest.mark.parametrize(
    ("error", "state"),
    [(KeyboardInterrupt(), ExecutionState.LOST), (SystemExit(3), ExecutionState.FAILED)],
    ids=["interrupted", "its own exit"],
)
def test_a_body_that_ends_its_process_is_recorded_before_it_does(app, gate, records, error, state):
    name = raising(app, gate, error)

    with pytest.raises(type(error)):
        app.deliver(name, headers=fire_headers())

    assert records.outcomes[0].state is state


def test_a_body_out_of_memory_fails_without_ending_the_worker(app, gate, records):
    state, error = app.deliver(raising(app, gate, MemoryError("too much")), headers=fire_headers())

    [outcome] = records.outcomes
    assert (outcome.state, outcome.error) == (ExecutionState.FAILED, "MemoryError: too much")
    # Celery's parent process raises a MemoryError again in itself, and ends.
    assert (state, type(error.exception)) == ("FAILURE", RuntimeError)


def test_a_message_that_its_body_sends_back_does_not_run_again(app, gate, records):
    headers = fire_headers()
    state, _ = app.deliver(raising(app, gate, Reject("later", requeue=True)), headers=headers)

    assert state == "IGNORED"
    assert records.outcomes[0].state is ExecutionState.FAILED


def test_celerys_own_retry_ends_the_attempt_as_retrying_and_comes_back_as_another(app, gate, records):
    @app.task(name="demo.flaky", shared=False, bind=True, max_retries=3)
    def flaky(self: Task) -> str:
        if self.request.retries == 0:
            raise self.retry(exc=OSError("busy"), countdown=0)
        return "done"

    gate_tasks(app, gate)
    headers = fire_headers()
    state, _ = app.deliver("demo.flaky", headers=headers)
    with app.connection_for_read() as connection, connection.channel() as channel:
        message = channel.message_to_python(channel._get("celery"))
    app.deliver("demo.flaky", headers=message.headers)

    assert state == "RETRY"
    assert message.headers["id"] == headers["id"]
    assert [outcome.state for outcome in records.outcomes] == [
        ExecutionState.RETRYING,
        ExecutionState.SUCCEEDED,
    ]
    assert records.outcomes[0].error == "OSError: busy"
    assert [dispatched.celery_retry for dispatched in records.dispatched] == [0, 1]
    assert len({dispatched.event_id for dispatched in records.dispatched}) == 1


def test_a_message_that_is_none_of_ours_is_not_noticed(app, gate, records):
    @app.task(name="demo.plain", shared=False, bind=True)
    def plain(self: Task) -> tuple[str, object]:
        return self.request.id, current_fire()

    gate_tasks(app, gate)
    state, (id_, fire) = app.deliver("demo.plain")

    assert (state, fire) == ("SUCCESS", None)
    assert id_
    assert records.dispatched == []


def test_the_body_knows_its_fire_and_nobody_else_does(app, gate, records):
    seen: list[Any] = []

    @app.task(name="demo.fire", shared=False)
    def body() -> None:
        seen.append(current_fire())

    gate_tasks(app, gate)
    headers = fire_headers()
    app.deliver("demo.fire", headers=headers)

    [fire] = seen
    assert (str(fire.id), str(fire.celery_id)) == (headers["taskcfg_event"], headers["id"])
    assert (fire.task, fire.kind, fire.nominal_at, fire.attempt) == ("nightly", "scheduled", NOON, 1)
    assert fire.labels == {"team": "platform"}
    assert current_fire() is None


def test_every_form_of_task_is_gated_and_celerys_own_are_not(app, gate, records):
    @shared_task(name="demo.shared")
    def shared() -> str:
        return "shared"

    class Classy(Task):
        name = "demo.classy"

        def __call__(self, *args: Any) -> Any:
            return f"called {super().__call__(*args)}"

        def run(self, *args: Any) -> str:
            return f"run {self.request.id is not None}"

    app.register_task(Classy())
    gate_tasks(app, gate)
    gate_tasks(app, gate)
    app.deliver("demo.shared", headers=fire_headers())
    app.deliver("demo.classy", headers=fire_headers())

    assert records.outcomes[0].result == "shared"
    assert records.outcomes[1].result.startswith("called run")
    assert {name for name, task in app.tasks.items() if isinstance(task, GatedTask)} == {
        name for name in app.tasks if not name.startswith("celery.")
    }
    assert type(app.tasks["demo.classy"]).__mro__.count(GatedTask) == 1


def test_a_body_may_call_its_own_task_and_others_as_functions(app, gate, records):
    @app.task(name="demo.other", shared=False)
    def other() -> str:
        return "other"

    @app.task(name="demo.twice", shared=False, bind=True)
    def twice(self: Task, depth: int) -> Any:
        return [other(), self(depth - 1)] if depth else "end"

    gate_tasks(app, gate)
    app.deliver("demo.twice", 2, headers=fire_headers())

    assert records.outcomes[0].result == ["other", ["other", "end"]]
    assert len(records.dispatched) == 1


class Interrupted(MemoryRecords):
    """Records whose first start is cut short, before or after it was written down."""

    written = False

    def start(self, dispatched: Any) -> Any:
        if self.written:
            super().start(dispatched)
        raise SoftTimeLimitExceeded


@pytest.mark.parametrize("written", [False, True])
def test_an_attempt_that_is_interrupted_at_the_gate_does_not_run_and_stays_open_for_nobody(app, written):
    records = Interrupted()
    records.written = written
    ran: list[int] = []

    @app.task(name="demo.late", shared=False)
    def late() -> None:
        ran.append(1)

    gate_tasks(app, Gate(lambda: records, lambda: BOOT))
    state, _ = app.deliver("demo.late", headers=fire_headers())

    assert (state, ran) == ("IGNORED", [])
    assert [*records.states.values()] == ([ExecutionState.TIMED_OUT] if written else [])


def test_a_soft_limit_that_strikes_while_the_end_is_written_does_not_undo_it(app, records):
    class Struck(MemoryRecords):
        strikes = 1

        def finish(self, execution_id: Any, outcome: Any) -> None:
            if self.strikes:
                self.strikes -= 1
                raise SoftTimeLimitExceeded
            super().finish(execution_id, outcome)

    struck = Struck()

    @app.task(name="demo.done", shared=False)
    def done() -> str:
        return "done"

    gate_tasks(app, Gate(lambda: struck, lambda: BOOT))
    state, _ = app.deliver("demo.done", headers=fire_headers())

    assert state == "SUCCESS"
    assert struck.outcomes[0].result == "done"


def test_a_request_without_our_header_says_nothing_of_a_fire():
    assert dispatched_of(Context({"id": "x"}), BOOT) is None
    assert dispatched_of(Context(), BOOT) is None
