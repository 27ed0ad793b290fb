"""How long one library takes for the next fire: LIBRARY STEPS; prints JSON, microseconds by expression.

The expression is read once. Each fire is asked for from the one before it, so that no answer can be
remembered. The last fires are compared by nobody: the libraries do not agree about clock changes.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

EXPRESSIONS = ("* * * * *", "*/15 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *")
WALKS = 5
ZONE = "Europe/Berlin"
START = datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE))

Next = Callable[[datetime], datetime]


def taskcfg(expression: str) -> Next:
    from taskcfg.spec.schedule import Cron
    from taskcfg.spec.times.timetable import timetable

    table = timetable(Cron(expression), ZONE)
    table.next_after(START.astimezone(UTC))

    def after(instant: datetime) -> datetime:
        found = table.next_after(instant)
        assert found is not None
        return found.at

    return after


def cronsim(expression: str) -> Next:
    from cronsim import CronSim

    return lambda instant: next(CronSim(expression, instant))


def croniter(expression: str) -> Next:
    from croniter import croniter as Croniter

    rule = Croniter(expression, START)

    def after(instant: datetime) -> datetime:
        rule.set_current(instant, force=True)
        return rule.get_next(datetime)

    return after


def apscheduler(expression: str) -> Next:
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(expression, timezone=ZONE)
    return lambda instant: trigger.get_next_fire_time(instant, instant)


def celery(expression: str) -> Next:
    from celery import Celery
    from celery.schedules import crontab

    app = Celery("bench")
    app.conf.timezone = ZONE
    minute, hour, day, month, weekday = expression.split()
    rule = crontab(minute, hour, weekday, day, month, app=app)

    def after(instant: datetime) -> datetime:
        last, delta, _ = rule.remaining_delta(instant)
        return last + delta

    return after


def microseconds(after: Next, steps: int) -> float:
    """Return the CPU time of one step, in the least disturbed of a few walks."""
    walks = []
    for _ in range(WALKS):
        instant = after(START)
        started = time.process_time()
        for _ in range(steps):
            instant = after(instant)
        walks.append((time.process_time() - started) / steps * 1e6)
    return min(walks)


def main() -> None:
    make, steps = globals()[sys.argv[1]], int(sys.argv[2])
    print(json.dumps({expression: microseconds(make(expression), steps) for expression in EXPRESSIONS}))


main()
