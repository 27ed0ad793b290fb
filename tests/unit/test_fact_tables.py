"""What other schedulers' own tests say: ours too, or another dialect's, by the rule that is named here.

A case that is listed must differ from ours, and agree once it is written as its rule says it is meant;
one that is not listed must agree as it stands.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialects import (
    ACTIVATIONS_LISTED,
    APSCHEDULER_LISTED,
    CELERY_LISTED,
    CRONSIM_LISTED,
    DIALECTS_LISTED,
    NOT_READ_HERE,
    NOT_READ_THERE,
    ROBFIG_LISTED,
    Listing,
    Meaning,
    as_the_clock_shows,
    both_days,
    question_mark_as_star,
)
from fact_tables import (
    NEVER,
    Case,
    apscheduler,
    celery,
    cronsim_riga,
    dialects,
    kubernetes,
    robfig,
    robfig_activations,
    systemd,
)
from nominals import after
from taskcfg.spec.schedule import Cron, CronFields, Dst, Gap, Part, qualified
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.timetable import timetable


def check(case: Case, listing: Listing) -> None:
    """A case agrees; or it is listed, and agrees once all its rules, and no fewer, are followed."""
    meanings = [meaning for meaning, names in listing.values() if case.name in names]
    for left_out in meanings:
        assert not meant(case, [each for each in meanings if each is not left_out]).agrees()
    assert meant(case, meanings).agrees(), case.answer()


def meant(case: Case, meanings: list[Meaning]) -> Case:
    for meaning in meanings:
        case = meaning(case)
    return case


def named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@named(list(cronsim_riga()))
def test_clock_changes_in_riga_are_debians(case: Case) -> None:
    check(case, CRONSIM_LISTED)


@named(list(robfig()))
def test_robfigs_next_times_are_ours_or_another_dialects(case: Case) -> None:
    check(case, ROBFIG_LISTED)


@pytest.mark.parametrize(
    ("case", "matches"), [pytest.param(*each, id=each[0].name) for each in robfig_activations()]
)
def test_robfigs_activations_are_ours_or_another_dialects(case: Case, matches: bool) -> None:
    if matches:
        check(case, ACTIVATIONS_LISTED)
    else:
        answer = question_mark_as_star(case).answer()
        assert not isinstance(answer, str) and answer != case.expected


@named(list(apscheduler()))
def test_apschedulers_times_are_ours_or_another_dialects(case: Case) -> None:
    check(case, APSCHEDULER_LISTED)


@named(list(celery()))
def test_celerys_times_are_ours_or_another_dialects(case: Case) -> None:
    check(case, CELERY_LISTED)


@named(list(celery()))
def test_celerys_fields_mean_what_our_named_fields_mean(case: Case) -> None:
    assert both_days(case).agrees()


@named(list(dialects()))
def test_what_libraries_make_of_a_text_is_ours_or_another_dialects(case: Case) -> None:
    if case.name in NOT_READ_THERE:
        assert case.refused and isinstance(case.answer(), tuple)
    elif case.name in NOT_READ_HERE:
        assert not case.refused and case.answer() == NOT_READ_HERE[case.name]
    else:
        check(case, DIALECTS_LISTED)


def test_every_case_that_is_listed_is_there_and_no_5_field_text_of_cronsim_is() -> None:
    tables: list[tuple[list[Case], Listing]] = [
        (list(cronsim_riga()), CRONSIM_LISTED),
        (list(robfig()), ROBFIG_LISTED),
        ([case for case, matches in robfig_activations() if matches], ACTIVATIONS_LISTED),
        (list(apscheduler()), APSCHEDULER_LISTED),
        (list(celery()), CELERY_LISTED),
        (list(dialects()), {**DIALECTS_LISTED, "": (as_the_clock_shows, {*NOT_READ_THERE, *NOT_READ_HERE})}),
    ]
    for cases, listing in tables:
        assert set().union(*(names for _, names in listing.values())) <= {case.name for case in cases}
    (listed,) = (names for _, names in CRONSIM_LISTED.values())
    texts = [
        case.rule.expression for case in cronsim_riga() if isinstance(case.rule, Cron) and case.name in listed
    ]
    assert [text for text in texts if len(text.split()) != 6] == []


@pytest.mark.parametrize(
    ("text", "case"), [pytest.param(*each, id=str(each[1]["case"])) for each in kubernetes()]
)
def test_what_kubernetes_missed_we_would_have_missed(text: str, case: dict[str, Any]) -> None:
    with pytest.raises(InvalidCron, match="`\\?` is another dialect's"):
        timetable(Cron(text), "UTC")
    table = timetable(Cron(text.replace("?", "*")), "UTC")
    now, last = utc(case["now"]), utc(case["last"] or case["created"])
    if "startingDeadlineSeconds" in case:
        last = max(last, now - timedelta(seconds=case["startingDeadlineSeconds"]))

    missed = [found.at for found in table.between(last + timedelta(microseconds=1), now, 1000)]

    match case["unmet"]:
        case [*instants]:
            assert missed == [utc(each) for each in instants]
        case "no error":
            assert len(missed) <= 100
        case said:
            assert said.startswith("ERROR >100") and len(missed) > 100


def fields(**given: object) -> CronFields:
    return CronFields(tuple((name, str(value)) for name, value in given.items()))


QUARTER_PAST_THREE = fields(minute=17, hour=3, day=27, month=3, year=2016)
# systemd's own syntax, none of which is cron text: what each case is in ours.
SYSTEMD: dict[tuple[str, str], tuple[Part, str]] = {
    ("2016-03-27 03:17:00", '""'): (QUARTER_PAST_THREE, "UTC"),
    ("2016-03-27 03:17:00", "CET"): (QUARTER_PAST_THREE, "CET"),
    ("2016-03-27 03:17:00", "EET"): (qualified(QUARTER_PAST_THREE, dst=Dst(gap=Gap.SKIP)), "EET"),
    ("2016-03-27 03:17:00 UTC", "EET"): (qualified(QUARTER_PAST_THREE, timezone="UTC"), "EET"),
    ("Sun 16:00:00", "CET"): (Cron("0 16 * * SUN"), "CET"),
    ("*-04-31", '""'): (Cron("0 0 31 4 *"), "UTC"),
    ("2016-02~01 UTC", '""'): (fields(day="L", month=2, year=2016), "UTC"),
    ("Mon 2017-05~01..07 UTC", '""'): (fields(month=5, day_of_week="MONL", year=2017), "UTC"),
    ("Mon 2017-05~07/1 UTC", '""'): (fields(month=5, day_of_week="MONL", year=2017), "UTC"),
}


@pytest.mark.parametrize("case", systemd(), ids=[f"{case['spec']} {case['tz']}" for case in systemd()])
def test_what_systemd_says_can_be_said_in_ours(case: dict[str, str]) -> None:
    schedule, zone = SYSTEMD[case["spec"], case["tz"]]
    start, expected = (microseconds(case[key]) for key in ("after_usec", "expect_usec"))
    with pytest.raises(InvalidCron):
        timetable(Cron(case["spec"]), "UTC")

    if case["spec"] == "*-04-31":
        with pytest.raises(InvalidCron, match="never fires"):
            timetable(schedule, zone)
        return

    assert after(timetable(schedule, zone), start) == (None if case["expect_usec"] == "-1" else expected)


def microseconds(text: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(text))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_rule_that_never_fires_is_said_to() -> None:
    never = [case for case in (*robfig(), *dialects()) if case.expected == NEVER and not case.refused]

    assert len(never) == 8
    assert [question_mark_as_star(case).answer() for case in never] == [NEVER] * 8
