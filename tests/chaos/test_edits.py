"""Tasks are edited, paused, disabled and deleted while their fires are pending."""

import pytest

from chaos.stage import EMBEDDED, Stage, of

SENT = ("edited", "paused", "left")
CANCELLED = ("deleted", "disabled")


@pytest.mark.row("tasks edited, paused, disabled and deleted while their fires are pending")
def test_recorded_fires_go_out_as_frozen_unless_their_task_is_deleted_or_disabled(stage: Stage) -> None:
    due = stage.soon()
    for prefix in SENT + CANCELLED:
        stage.write(4, due, prefix=prefix, file=prefix, params="{seconds: 0.01}")
    stage.apply()
    away(stage)
    scheduler = stage.scheduler()
    pending = stage.until(lambda books: len(books.events) == 20)
    assert {event.state for event in pending.events} == {"pending"}

    stage.rewrite("{seconds: 0.01}", "{how: hang}", file="edited")
    stage.rewrite("type: work", "type: work\n    enabled: false", file="disabled")
    stage.project.ok("pause", *[f"paused{number:05d}" for number in range(4)], "--reason", "chaos")
    stage.project.write("tasks.d/deleted.yaml", "tasks: {}\n")
    stage.apply()
    stage.broker.restore()
    stage.worker(2)
    books = stage.settled(fires=20)

    stage.verdict(books, interval=None)
    states = {prefix: {(e.state, e.executions) for e in of(books, prefix)} for prefix in SENT + CANCELLED}
    assert states == {
        **{prefix: {("done", ("succeeded",))} for prefix in SENT},
        **{prefix: {("cancelled", ())} for prefix in CANCELLED},
    }
    assert scheduler.running


def away(stage: Stage) -> None:
    """Take the broker away, by whatever means it has."""
    if stage.place == EMBEDDED:
        stage.broker.freeze()
    else:
        stage.broker.stop()
