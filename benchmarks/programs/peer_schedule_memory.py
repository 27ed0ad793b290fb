"""What a peer's distinct schedules cost in memory: LIBRARY COUNT; prints JSON, bytes for each."""

import json
import sys
import tracemalloc
from datetime import datetime
from zoneinfo import ZoneInfo

START = datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))


def expressions(count: int) -> list[str]:
    days = ("*", "MON-FRI", "1", "SUN", "2,4", "3", "6")
    return [f"{n % 60} {n // 60 % 24} * * {days[n // 1440 % len(days)]}" for n in range(count)]


def cronsim(texts: list[str]) -> list[object]:
    from cronsim import CronSim

    made = [CronSim(text, START) for text in texts]
    for each in made:
        next(each)
    return list(made)


def apscheduler(texts: list[str]) -> list[object]:
    from apscheduler.triggers.cron import CronTrigger

    made = [CronTrigger.from_crontab(text, timezone=START.tzinfo) for text in texts]
    for each in made:
        each.get_next_fire_time(START, START)
    return list(made)


def main() -> None:
    make, texts = globals()[sys.argv[1]], expressions(int(sys.argv[2]))
    kept = [make(texts[:1])]
    tracemalloc.start()
    kept.append(make(texts))
    print(json.dumps({"firing, B": tracemalloc.get_traced_memory()[0] / len(texts)}))


main()
