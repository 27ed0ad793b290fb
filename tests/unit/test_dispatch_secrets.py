"""The gate and secrets, under Celery's own tracer: the body has them, and nothing it leaves behind does."""

import contextlib
import json
import logging
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task
from celery.app.trace import build_tracer
from celery.exceptions import Reject, SoftTimeLimitExceeded

from ledger import MemoryRecords
from taskcfg.dispatch.gate import Gate
from taskcfg.dispatch.gated import gate_tasks
from taskcfg.dispatch.hiding import hiding
from taskcfg.errors import SecretUnavailable
from taskcfg.spec.fires import ExecutionState
from taskcfg.spec.masking import Mask

TOKEN = "hunter2-%&'x"
REFERENCE = "Bearer ${secret:TOKEN}"


class Attempts:
    """Delivers messages of ours to tasks of one app, gated, with one secret."""

    def __init__(self) -> None:
        self.app = Celery("demo", broker="memory://", backend=None, set_as_current=False)
        self.records = MemoryRecords()
        self.secrets = {"TOKEN": TOKEN, "PIN": "42"}
        self.seen: list[Any] = []
        self.gate = Gate(lambda: self.records, uuid.uuid4, look_up=self._look_up)

    def _look_up(self, name: str) -> str:
        if name not in self.secrets:
            raise SecretUnavailable(name, "it is nowhere")
        return self.secrets[name]

    def deliver(self, body: Any, *args: Any, ours: bool = True, **kwargs: Any) -> tuple[str, Any]:
        """Run *body* as a worker's child does; return Celery's verdict and what Celery was told."""
        name = f"demo.{body.__name__}"
        task = self.app.task(name=name, shared=False, bind=True, max_retries=3)(body)
        gate_tasks(self.app, self.gate)
        id_ = str(uuid.uuid4())
        request = {"id": id_, "task": name, "retries": 0, "hostname": "here", "is_eager": False}
        request |= {"delivery_info": {"exchange": "", "routing_key": "celery"}, "headers": None}
        if ours:
            request |= {"taskcfg_event": str(uuid.uuid4()), "taskcfg_dispatch": 1}
        tracer = build_tracer(name, self.app.tasks[task.name], app=self.app)
        verdict = tracer(id_, list(args), kwargs, request)
        return verdict.info.state if verdict.info else "SUCCESS", verdict.retval

    def sent(self) -> Any:
        """The message in the broker, headers and body as text."""
        with self.app.connection_for_read() as connection, connection.channel() as channel:
            message = channel.message_to_python(channel._get("celery"))
        return json.dumps(message.headers) + str(message.payload)


@pytest.fixture
def attempts() -> Iterator[Attempts]:
    attempts = Attempts()
    attempts.app.conf.task_ignore_result = True
    yield attempts
    attempts.app.close()


def test_the_body_has_the_value_and_celery_keeps_the_reference(attempts):
    def body(self: Task, token: str, more: dict[str, list[str]]) -> None:
        attempts.seen += [token, more, self.request.args, self.request.kwargs]

    attempts.deliver(body, REFERENCE, more={"deep": ["$${secret:TOKEN}", "${secret:PIN}"]})

    assert attempts.seen == [
        f"Bearer {TOKEN}",
        {"deep": ["${secret:TOKEN}", "42"]},
        [REFERENCE],
        {"more": {"deep": ["$${secret:TOKEN}", "${secret:PIN}"]}},
    ]


def test_a_message_that_is_none_of_ours_is_left_as_it_is(attempts):
    def body(self: Task, token: str) -> str:
        return token

    assert attempts.deliver(body, REFERENCE, ours=False) == ("SUCCESS", REFERENCE)


def test_the_result_is_masked_for_the_records_and_for_celery(attempts):
    def body(self: Task, token: str) -> dict[str, Any]:
        return {"sent": [token], "quoted": repr(token), "n": 7}

    _, told = attempts.deliver(body, REFERENCE)

    assert (
        attempts.records.outcomes[0].result
        == told
        == {"sent": ["Bearer ***"], "quoted": told["quoted"], "n": 7}
    )
    assert "***" in told["quoted"] and "hunter2" not in told["quoted"]


class Answer(Exception):
    """Shows what it was given only when asked."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def __str__(self) -> str:
        return f"refused {self.token!r}"


def plainly(token: str) -> None:
    raise ValueError(f"refused {token}")


def hidden_in_an_attribute(token: str) -> None:
    raise Answer(token)


def chained(token: str) -> None:
    try:
        plainly(token)
    except ValueError as error:
        raise KeyError("another") from error


def rejected(token: str) -> None:
    raise Reject(f"refused {token}", requeue=True)


def timed_out(token: str) -> None:
    try:
        plainly(token)
    except ValueError:
        raise SoftTimeLimitExceeded from None


def exited(token: str) -> None:
    sys.exit(f"refused {token}")


@pytest.mark.parametrize("how", [plainly, hidden_in_an_attribute, chained, rejected, timed_out])
def test_an_error_shows_the_secret_nowhere(attempts, how):
    def body(self: Task, token: str) -> None:
        how(token)

    state, told = attempts.deliver(body, REFERENCE)

    [outcome] = attempts.records.outcomes
    shown = repr([outcome, state, told, vars(told), str(told), getattr(told, "exception", None)])
    assert "hunter2" not in shown + str(outcome.traceback)
    assert how is timed_out or "***" in shown + str(outcome.traceback)


def test_a_body_that_exits_its_process_with_the_secret_does_so_without_it(attempts):
    def body(self: Task, token: str) -> None:
        exited(token)

    with pytest.raises(SystemExit, match=r"refused Bearer \*\*\*"):
        attempts.deliver(body, REFERENCE)

    assert attempts.records.outcomes[0].error == "SystemExit: refused Bearer ***"


def test_an_error_that_shows_no_secret_stays_itself(attempts):
    error = LookupError("no such tenant")

    def body(self: Task, token: str) -> None:
        raise error

    _, told = attempts.deliver(body, REFERENCE)

    assert told.exception is error


@pytest.mark.parametrize("explicit", [False, True], ids=["with its arguments", "with arguments of its own"])
def test_celerys_own_retry_sends_the_references(attempts, explicit):
    def body(self: Task, token: str, inner: dict[str, str]) -> None:
        given = {"args": (token,), "kwargs": {"inner": {**inner, "more": "x"}}} if explicit else {}
        raise self.retry(exc=OSError(f"busy {token}"), countdown=0, **given)

    state, told = attempts.deliver(body, REFERENCE, inner={"pin": "${secret:PIN}"})

    sent = attempts.sent()
    assert state == "RETRY"
    assert "hunter2" not in sent + repr(told) + repr(vars(told)) + repr(attempts.records.outcomes)
    assert REFERENCE in sent and "${secret:PIN}" in sent
    assert attempts.records.outcomes[0].error == "OSError: busy Bearer ***"


def test_a_secret_that_is_nowhere_fails_the_attempt_before_its_body(attempts):
    def body(self: Task, *args: str) -> None:
        attempts.seen.append(args)

    state, _ = attempts.deliver(body, REFERENCE, "${secret:MISSING}")

    [outcome] = attempts.records.outcomes
    assert (state, outcome.state, attempts.seen) == ("FAILURE", ExecutionState.FAILED, [])
    assert outcome.error == "SecretUnavailable: secret `MISSING`: it is nowhere"


def test_each_attempt_looks_its_secrets_up_anew(attempts):
    def body(self: Task, token: str) -> None:
        attempts.seen.append(token)

    attempts.deliver(body, "${secret:PIN}")
    attempts.secrets["PIN"] = "rotated"
    attempts.deliver(body, "${secret:PIN}")

    assert attempts.seen == ["42", "rotated"]


def test_whatever_logger_writes_it_writes_no_secret(attempts, caplog):
    caplog.set_level(logging.DEBUG)

    def body(self: Task, token: str) -> None:
        logging.getLogger("anybody").info("with %s", token, extra={"token": {"is": token}}, stack_info=True)
        logging.getLogger("anybody").info("badly %d %s", 1, 2, extra={"plain": 3})
        try:
            plainly(token)
        except ValueError:
            logging.getLogger("another").exception("failed")

    attempts.deliver(body, REFERENCE)

    first, second, third = (record for record in caplog.records if record.name in ("anybody", "another"))
    assert first.getMessage() == "with Bearer ***"
    assert first.token == {"is": "Bearer ***"}
    assert (second.getMessage(), second.plain, second.args) == ("badly 1 2", 3, (1, 2))
    assert "ValueError: refused Bearer ***" in third.exc_text
    assert "hunter2" not in caplog.text
    logging.getLogger("anybody").info("afterwards %s", TOKEN)
    assert caplog.messages[-1] == f"afterwards {TOKEN}"


def test_what_the_body_prints_is_masked_also_in_pieces_and_from_its_threads(attempts, capsys):
    def body(self: Task, token: str) -> None:
        print("with", token, token)
        for letter in token:
            print(letter, end="", file=sys.stderr)
        thread = threading.Thread(target=print, args=(f"thread {token}",), kwargs={"flush": True})
        thread.start()
        thread.join()
        sys.stdout.writelines(["a line\n", token])

    attempts.deliver(body, REFERENCE)
    print("afterwards", TOKEN)

    out, err = capsys.readouterr()
    assert out == f"with Bearer *** Bearer ***\nthread Bearer ***\na line\nBearer ***afterwards {TOKEN}\n"
    assert err == "Bearer ***"


def test_bodies_that_run_at_once_hide_each_other_s_secrets_until_the_last_ends(capsys):
    with hiding(Mask(["first-secret"])):
        with hiding(Mask(["second-secret"])):
            print("first-secret second-secret")
        print("first-secret second-secret")
    print("first-secret")

    assert capsys.readouterr().out == "*** ***\n*** second-secret\nfirst-secret\n"


def test_a_secret_of_several_lines_is_not_printed_line_by_line(attempts, capsys):
    attempts.secrets["TOKEN"] = "ab\ncd\nef"

    def body(self: Task, token: str) -> None:
        print(token)
        with contextlib.suppress(ValueError):
            plainly(token)

    attempts.deliver(body, "${secret:TOKEN}")

    assert capsys.readouterr().out == "***\n"
