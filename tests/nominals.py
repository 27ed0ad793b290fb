"""What a timetable gives, as bare instants."""

from datetime import datetime

from taskcfg.spec.times.timetable import Timetable


def after(table: Timetable, instant: datetime) -> datetime | None:
    found = table.next_after(instant)
    return None if found is None else found.at


def between(table: Timetable, start: datetime, end: datetime, limit: int) -> list[datetime]:
    return [found.at for found in table.between(start, end, limit)]
