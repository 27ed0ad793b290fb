"""How other schedulers' dialects of cron differ from ours, and the cases of the fact tables that show it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fact_tables import Case
from taskcfg.spec.schedule import Cron, CronFields, Dst, Gap, Repeat

Meaning = Callable[[Case], Case]
"""A case as another dialect means it, written in ours."""


def as_the_clock_shows(case: Case) -> Case:
    return replace(case, dst=Dst(Gap.SKIP, Repeat.BOTH))


def question_mark_as_star(case: Case) -> Case:
    return case.rewritten(lambda text: text.replace("?", "*"))


def stepped_star_as_range(case: Case) -> Case:
    return case.rewritten(lambda text: text.replace("*/5", "1-31/5").replace("*/10", "1-31/10"))


def both_days(case: Case) -> Case:
    assert isinstance(case.rule, Cron)
    minute, hour, day, month, weekday = case.rule.expression.upper().split()
    fields = {"minute": minute, "hour": hour, "day": day, "month": month, "day_of_week": weekday}
    return replace(case, rule=CronFields(tuple(fields.items())))


def monday_first(case: Case) -> Case:
    def shifted(text: str) -> str:
        *fields, weekday = text.split()
        return " ".join([*fields, "".join(str((int(c) + 1) % 7) if c.isdigit() else c for c in weekday)])

    return case.rewritten(shifted)


def nth_ignored(case: Case) -> Case:
    return case.rewritten(lambda text: text.partition("#")[0])


def one_valued_range_as_step(case: Case) -> Case:
    return case.rewritten(lambda text: text.replace("23-23/24", "*/24"))


def numbered(table: str, *numbers: int | range) -> set[str]:
    listed = [[each] if isinstance(each, int) else each for each in numbers]
    return {f"{table}-{number}" for each in listed for number in each}


# By rule: what another dialect's text means in ours, and the cases that it is for.
Listing = Mapping[str, tuple[Meaning, set[str]]]

CRONSIM_LISTED: Listing = {
    "text of six fields fires as the clock shows it, in cronsim: not in a gap, twice in an overlap": (
        as_the_clock_shows,
        {
            "test_no_tz_fixup_for_subminute_granularity",
            "test_no_tz_fixup_with_nonzero_seconds_field",
            "test_no_tz_fixup_with_zero_seconds_field",
        },
    ),
}
ROBFIG_LISTED: Listing = {
    "robfig reads `?` as `*`": (question_mark_as_star, numbered("next", 12, range(18, 58))),
    "robfig fires as the clock shows it: not in a gap, twice in an overlap": (
        as_the_clock_shows,
        numbered("next", 19, 30, 32, 37, 47),
    ),
    "robfig ORs the days also where one field is `*` with a step": (
        stepped_star_as_range,
        numbered("next", 13),
    ),
}
ACTIVATIONS_LISTED: Listing = {
    "robfig reads `?` as `*`": (question_mark_as_star, numbered("activation", 8, 9)),
    "robfig ORs the days also where one field is `*` with a step": (
        stepped_star_as_range,
        numbered("activation", 24),
    ),
}
APSCHEDULER_LISTED: Listing = {
    "APScheduler fires twice in an overlap": (
        as_the_clock_shows,
        {"absolute_autumn_from_repeated_into_repeated_interval"},
    ),
}
CELERY_LISTED: Listing = {
    "Celery ANDs the day of the month and the day of the week": (
        both_days,
        {
            "test_weekday_monthday",
            "test_monthday_not_weekday",
            "test_weekday_not_monthday",
            "test_not_weekday_not_monthday",
            "test_monthdayyear_not_week",
            "test_weekdaymonthyear_not_monthday",
            "test_weekmonthday_not_monthyear",
            "test_weekday_not_monthdayyear",
            "test_monthday_not_weekdaymonthyear",
            "test_monthyear_not_weekmonthday",
            "test_not_weekmonthdayyear",
        },
    ),
}
CELERY, APSCHEDULER, CRONITER = "celery_crontab", "apscheduler3_from_crontab", "croniter"
DIALECTS_LISTED: Listing = {
    "Celery and APScheduler AND the day of the month and the day of the week": (
        both_days,
        {
            f"{library} {text}"
            for library in (CELERY, APSCHEDULER)
            for text in ("0 9 1-7 * tue", "0 9 2-8 * wed")
        },
    ),
    "APScheduler's week begins with Monday, 0": (
        monday_first,
        {
            f"{APSCHEDULER} {text}"
            for text in ("0 9 * * 0", "0 9 * * 1", "0 9 * * 6", "0 9 * * 1-5", "1 7 * * 0,1,3,5")
        },
    ),
    "Celery and APScheduler ignore which of the month": (
        nth_ignored,
        {f"{CELERY} 5 4 * * sun#1", f"{APSCHEDULER} 5 4 * * sun#1"},
    ),
    "croniter takes a range of one value with a step for `*`": (
        one_valued_range_as_step,
        {f"{CRONITER} 17 23-23/24 * * *"},
    ),
}
NOT_READ_THERE = {
    *(f"{CELERY} {text}" for text in ("0 9 * * 7", "0 0/12 * * *", "0 0 L * *", "@daily", "0  9 * * *")),
    *(f"{APSCHEDULER} {text}" for text in ("0 9 * * 7", "0 0 L * *", "@daily")),
    *(f"{APSCHEDULER} {text}" for text in ("14 16-23/24 * * *", "17 23-23/24 * * *")),
}
NOT_READ_HERE = {f"{CRONITER} 0 9 15W * *": "day of month `15W` cannot be read"}
