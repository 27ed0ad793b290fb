"""What distinct schedules cost in memory: COUNT; prints JSON, bytes for each, in one process.

`held`: as values, as a loaded task has them. `firing`: with the timetable that has given a next fire.
"""

import json
import sys
import tracemalloc
from datetime import UTC, datetime

from taskcfg.spec.schedule import Cron
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.timetable import timetable

ZONE = "Europe/Berlin"
START = datetime(2026, 1, 1, tzinfo=UTC)


def expressions(count: int) -> list[str]:
    days = ("*", "MON-FRI", "1", "SUN", "2,4", "TUE#1", "5L")
    return [f"{n % 60} {n // 60 % 24} * * {days[n // 1440 % len(days)]}" for n in range(count)]


def main() -> None:
    count = int(sys.argv[1])
    texts = expressions(count)
    assert len(set(texts)) == count
    timetable(Cron("0 0 31 12 *"), ZONE).next_after(START)  # the zone, once
    tracemalloc.start()
    schedules = [Cron(text) for text in texts]
    held = tracemalloc.get_traced_memory()[0]
    make = timetable.__wrapped__  # caches hold fewer, and would let go of some
    read_cron.cache_clear()
    tables = [make(schedule, ZONE) for schedule in schedules]
    for table in tables:
        table.next_after(START)
    read_cron.cache_clear()
    firing = tracemalloc.get_traced_memory()[0]
    print(json.dumps({"held, B": held / count, "firing, B": firing / count}))


main()
