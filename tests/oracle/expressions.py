"""The expressions that the oracle is asked about: those people write, odd ones, and several hundred drawn."""

from random import Random

from taskcfg.spec.schedule import Cron, CronFields

WRITTEN = (
    *("* * * * *", "*/5 * * * *", "*/7 * * * *", "*/15 * * * *", "0 * * * *", "30 * * * *", "59 * * * *"),
    *("0 0 * * *", "30 0 * * *", "0 1 * * *", "30 1 * * *", "59 1 * * *", "0 2 * * *", "15 2 * * *"),
    *("30 2 * * *", "59 2 * * *", "0 3 * * *", "0,30 1-3 * * *", "5 0-4 * * *", "*/10 0-3 * * *"),
    *("0 */2 * * *", "30 */3 * * *", "0 */6 * * *", "0 0,12 * * *", "0 1,2,3,4,5 * * *", "45 23 * * *"),
    *("0 9 * * MON-FRI", "0 9 * * 1-5", "0 9 * * 0", "0 9 * * 7", "30 2 * * SUN", "0 0 * * FRI-MON"),
    *("0 0 1 * *", "30 2 1,15 * *", "0 0 29 2 *", "0 0 31 * *", "30 1 31 12 *", "0 0 1 1 *", "59 23 31 12 *"),
    *(
        "0 0 L * *",
        "0 6 LW * *",
        "30 2 L 3,10 *",
        "0 0 * * 5L",
        "30 2 * 3 7L",
        "0 0 * * SUNL",
        "0 9 * * TUE#1",
    ),
    *("30 2 * * SUN#2", "30 1 * 11 SUN#1", "0 0 * * MON#5", "0 0 13 * FRI", "0 0 1-7 * */7", "0 0 */2 * MON"),
    *(
        "0 0 */31 * *",
        "0 9 1-7 * TUE",
        "0 0 L * FRI",
        "0 0 1,LW * SUN#1,WED",
        "30 2 8-14 3 *",
        "30 2 25-31 * SUN",
    ),
    *("0 0 30 2 MON", "0-59/20 1-3 * MAR-MAY *", "7/20 2/5 * * *", "0 0 28-31 * *", "0 12 * JAN,jul sat,SUN"),
    *("@hourly", "@daily", "@weekly", "@monthly", "@yearly"),
)
WRITTEN_FIELDS = (
    {"hour": "2"},
    {"minute": "30", "hour": "2"},
    {"minute": "30"},
    {"minute": "0", "hour": "9", "day": "2-8", "day_of_week": "WED"},
    {"day_of_week": "SUN#2", "hour": "2", "minute": "30"},
    {"day": "L"},
    {"month": "3"},
    {"year": "2026-2028"},
    {"day_of_week": "FRI-MON"},
    {"hour": "*/2", "year": "2025,2027"},
    {"day": "25-31", "day_of_week": "SUN", "hour": "1-2", "minute": "0,30"},
)
WRITTEN_SECONDS = (
    *(
        "0 30 2 * * *",
        "30 30 2 * * *",
        "59 59 1 * * *",
        "*/10 * * * * *",
        "0 0 * * * *",
        "15,45 0,59 0-3 * * *",
    ),
    *("* 59 1 * * *", "* 0 3 * * *", "*/7 */7 2 * * *", "0 0 0 * * *", "30 0 0 * * *", "1 0 0-4/2 * * *"),
    *("* * * * * *", "5 */20 1-3 * * *", "0 15 2 * * SUN", "20-40/5 30 1,2 L * *"),
)


def drawn(number: int, *, seconds: bool = False) -> list[Cron]:
    """Return the first *number* of one endless list of expressions, the same in every run."""
    random = Random(2024)
    found = []
    while len(found) < number:
        hours = _field(random, 0, 4) if random.random() < 0.7 else _field(random, 0, 23)
        fields = [_field(random, 0, 59), hours, *_days(random)]
        if seconds:
            fields.insert(0, _field(random, 0, 59))
        found.append(Cron(" ".join(fields)))
    return found


def fields_of(given: dict[str, str]) -> CronFields:
    names = ("second", "minute", "hour", "day", "month", "day_of_week", "year")
    return CronFields(tuple((name, given[name]) for name in names if name in given))


def _days(random: Random) -> list[str]:
    kind = random.random()
    if kind < 0.4:
        return ["*", "*", "*"]
    weekdays = ["5L", "7L", "SUN#1", "SUN#2", "MON#5", "FRI-MON", "sat,SUN", _field(random, 0, 7)]
    days = ["L", "LW", "1,LW", "15,L", _field(random, 1, 31)]
    months = [_field(random, 1, 12), "MAR-MAY", "3,4,9-11"]
    if kind < 0.6:
        return ["*", "*", random.choice(weekdays)]
    if kind < 0.8:
        return [random.choice(days), random.choice(months), "*"]
    # a day of May to August is in every month of them: such an expression always fires
    return [random.choice(days), "5-8" if kind < 0.9 else "*", random.choice(weekdays)]


def _field(random: Random, lowest: int, highest: int) -> str:
    kind = random.random()
    if kind < 0.25:
        return "*"
    if kind < 0.4:
        return f"*/{random.randint(1, highest)}"
    return ",".join(_term(random, lowest, highest) for _ in range(random.randint(1, 3)))


def _term(random: Random, lowest: int, highest: int) -> str:
    first, last = sorted((random.randint(lowest, highest), random.randint(lowest, highest)))
    step = random.randint(1, 9)
    return random.choice(
        [str(first), str(last), f"{first}-{last}", f"{first}-{last}/{step}", f"{first}/{step}"]
    )
