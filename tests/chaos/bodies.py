"""The type `work`: a task that notes in a ledger what it does, and can be told to misbehave."""

WORK = '''
import os
import signal
import time

from taskcfg import Fire, Params, task_type


class WorkParams(Params):
    """How long to work, in seconds, and how: `well`, `die` (kill -9 of its own process) or `hang`."""
    seconds: float = 0.0
    how: str = "well"


def note(word, fire):
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {fire.task} {fire.id} {fire.attempt} {fire.celery_id}\\n".encode())
    os.close(descriptor)


@task_type("work")
def work(params: WorkParams, fire: Fire) -> dict[str, int]:
    """Note in the ledger that it began and that it ended."""
    note("began", fire)
    if params.how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while params.how == "hang":
        try:
            time.sleep(60)
        except BaseException:
            pass
    time.sleep(params.seconds)
    note("ended", fire)
    return {"attempt": fire.attempt}
'''
