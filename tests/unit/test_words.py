"""Schedules and policies in words: honest ones, or the expression itself."""

from datetime import UTC, datetime, timedelta

import pytest

from taskcfg.spec.policy import Backoff, Policy, Retry
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule
from taskcfg.spec.words import policy_words, schedule_words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute, UTC"),
        ("*/15 * * * *", "every 15 minutes of the hour, UTC"),
        ("*/7 * * * *", "cron `*/7 * * * *`, UTC"),
        ("5 * * * *", "at minute 5 of every hour, UTC"),
        ("30 3 * * *", "at 03:30 every day, UTC"),
        ("0 2,14 * * *", "at 02:00 and 14:00 every day, UTC"),
        ("0 2 * * MON-FRI", "at 02:00 on Monday to Friday, UTC"),
        ("0 2 * * 0,3,sat", "at 02:00 on Sunday, Wednesday and Saturday, UTC"),
        ("0 2 * * 7", "at 02:00 on Sunday, UTC"),
        ("0 2 1 * *", "at 02:00 on day 1 of the month, UTC"),
        ("0 2 L * *", "at 02:00 on the last day of the month, UTC"),
        ("0 2 1 * MON", "cron `0 2 1 * MON`, UTC"),
        ("0 2 1 1 *", "cron `0 2 1 1 *`, UTC"),
        ("0 2 * * TUE#1", "cron `0 2 * * TUE#1`, UTC"),
        ("0 */2 * * *", "cron `0 */2 * * *`, UTC"),
        ("*/0005 * * * *", "cron `*/0005 * * * *`, UTC"),
    ],
)
def test_a_cron_expression_is_said_in_words_where_there_are_some(expression: str, words: str) -> None:
    assert schedule_words(Cron(expression), "UTC") == words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Manual(), "only when it is run"),
        (Every(timedelta(minutes=15)), "every 15m, counted from 1970-01-01T00:00:00Z"),
        (
            Every(timedelta(hours=1), datetime(2026, 1, 1, tzinfo=UTC)),
            "every 1h, counted from 2026-01-01T00:00:00Z",
        ),
        (At((datetime(2026, 12, 24, 18, tzinfo=UTC),)), "once at 2026-12-24T18:00:00Z"),
        (
            At((datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))),
            "at 2026-01-01T00:00:00Z and 1 more",
        ),
    ],
)
def test_other_schedules_in_words(schedule: Schedule, words: str) -> None:
    assert schedule_words(schedule, "UTC") == words


def test_retries_in_words() -> None:
    def failure(**retry: object) -> str:
        return policy_words(Policy(retry=Retry(**retry)))["failure"]  # type: ignore[arg-type]

    assert failure() == "not tried again"
    assert failure(attempts=2) == "tried again once, after 10s"
    assert failure(attempts=3, jitter=True) == "tried again up to 2 times, after 10s, spread at random"
    assert failure(attempts=9, backoff=Backoff.EXPONENTIAL) == (
        "tried again up to 8 times, after 10s, each time twice as long, at most 1h"
    )
