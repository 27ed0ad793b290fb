"""Schedules, policies and tasks as documents: written once, read back the same, told apart by digest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.problems import Position
from taskcfg.spec.instants import parse_rfc3339, rfc3339
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule, schedule_document, schedule_text
from taskcfg.spec.schedule_reading import schedule_from_document
from taskcfg.spec.task import task_from_document
from taskcfg.testing import make_spec

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)

durations = st.timedeltas(timedelta(seconds=1), timedelta(days=400))
instants = st.timedeltas(timedelta(days=-20_000), timedelta(days=20_000)).map(lambda offset: NOON + offset)
schedules = st.one_of(
    st.just(Manual()),
    st.builds(Cron, st.sampled_from(["0 3 * * *", "*/5 * * * MON"])),
    st.builds(Every, durations, instants),
    st.builds(lambda found: At(tuple(sorted(found))), st.sets(instants, min_size=1)),
)
policies = st.builds(
    Policy,
    timeout=st.none() | durations,
    retry=st.builds(
        Retry, st.integers(1, 9), durations, st.sampled_from(Backoff), durations, jitter=st.booleans()
    ),
    overlap=st.sampled_from([*(Overlap(mode) for mode in OverlapMode), Overlap(OverlapMode.ALLOW, 3)]),
    catch_up=st.sampled_from(CatchUp),
    catch_up_window=durations,
    expires=st.none() | durations,
    delivery=st.sampled_from(Delivery),
    jitter=durations,
    expect_success_within=st.none() | durations,
)


@given(schedules)
def test_a_schedule_is_read_back_from_its_document(schedule: Schedule) -> None:
    assert schedule_from_document(schedule_document(schedule)) == schedule


@given(schedules, policies)
def test_a_task_is_read_back_from_its_document(schedule: Schedule, policy: Policy) -> None:
    spec = make_spec(schedule=schedule, policy=policy, description="Über", labels={"team": "a"}, queue="q")

    again = task_from_document(spec.name, spec.document())

    assert again == spec
    assert again.digest == spec.digest


def test_every_field_changes_the_digest_and_where_it_stands_does_not() -> None:
    spec = make_spec()
    changes = {
        "type": "http",
        "schedule": Manual(),
        "params": {"target": "files"},
        "timezone": "Europe/Berlin",
        "policy": Policy(timeout=timedelta(1)),
        "description": "new",
        "labels": {"a": "b"},
        "owner": "me",
        "runbook": "there",
        "enabled": False,
        "queue": "slow",
        "priority": 6,
        "protect": True,
    }

    digests = {replace(spec, **{field: value}).digest for field, value in changes.items()}

    assert len(digests | {spec.digest}) == len(changes) + 1
    assert replace(spec, position=Position("a.yaml", 3, 3)).digest == spec.digest
    assert replace(spec, position=Position("a.yaml", 3, 3)) == spec


@pytest.mark.parametrize(
    "document", ["", None, 5, [], {}, {"cron": 5}, {"every": "1h"}, {"at": "2026-01-01T00:00:00Z"}, "Manual"]
)
def test_what_no_schedule_wrote_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="schedule"):
        schedule_from_document(document)


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Cron("30 3 * * *"), "30 3 * * *"),
        (Every(timedelta(minutes=15)), "every 15m"),
        (At((NOON,)), "at 2026-03-29T12:00:00Z"),
        (At((NOON, NOON + timedelta(1), NOON + timedelta(2))), "at 2026-03-29T12:00:00Z and 2 more"),
        (Manual(), "manual"),
    ],
)
def test_a_schedule_is_told_in_a_few_words(schedule: Schedule, text: str) -> None:
    assert schedule_text(schedule) == text


def test_instants_are_written_in_utc_and_read_with_any_offset() -> None:
    berlin = datetime(2026, 3, 29, 14, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(berlin) == "2026-03-29T12:00:00Z"
    assert parse_rfc3339("2026-03-29T14:00:00+02:00") == NOON
    with pytest.raises(ValueError, match="no offset"):
        parse_rfc3339("2026-03-29T14:00:00")


@given(st.builds(Retry, st.just(5), durations, st.sampled_from(Backoff), durations), st.integers(1, 1000))
def test_waits_never_exceed_the_longest_and_never_shrink(retry: Retry, failures: int) -> None:
    wait = retry.delay_after(failures)

    assert timedelta(0) < wait <= retry.max_delay
    assert retry.delay_after(failures + 1) >= wait


def test_exponential_backoff_doubles_and_fixed_does_not() -> None:
    ten = timedelta(seconds=10)
    doubling = Retry(attempts=9, delay=ten, backoff=Backoff.EXPONENTIAL, max_delay=timedelta(seconds=60))

    assert [doubling.delay_after(failures) // ten for failures in (1, 2, 3, 4, 5)] == [1, 2, 4, 6, 6]
    assert [Retry(attempts=9, delay=ten).delay_after(failures) // ten for failures in (1, 2, 9)] == [1, 1, 1]
