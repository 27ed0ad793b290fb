"""Every kind of mistake in every field of a cron rule: its message names the field and what it takes."""

import pytest

from taskcfg.spec.times.cron import field_of, read_cron, read_cron_fields
from taskcfg.spec.times.cron_terms import InvalidCron

# field, its place in six fields, its range, a number below and above it (None where there is none)
FIELDS = [
    ("second", 0, "0-59", None, "60"),
    ("minute", 1, "0-59", None, "60"),
    ("hour", 2, "0-23", None, "24"),
    ("day of month", 3, "1-31", "0", "32"),
    ("month", 4, "1-12 or JAN-DEC", "0", "13"),
    ("day of week", 5, "0-7 or SUN-SAT", None, "8"),
]
each_field = pytest.mark.parametrize(("word", "place"), [(word, place) for word, place, *_ in FIELDS])


def mistake(text: str) -> tuple[str, str | None]:
    with pytest.raises(InvalidCron) as raised:
        read_cron(text)
    return str(raised.value), raised.value.hint


def six(place: int, term: str) -> str:
    fields = ["0", "0", "0", "1", "1", "1"]
    fields[place] = term
    return " ".join(fields)


@pytest.mark.parametrize(
    ("word", "place", "taken", "number"),
    [(word, place, taken, n) for word, place, taken, *ends in FIELDS for n in ends if n is not None],
)
def test_a_number_outside_says_what_is_inside(word: str, place: int, taken: str, number: str) -> None:
    assert mistake(six(place, number)) == (f"{word} `{number}` is not within {taken}", None)
    assert mistake(six(place, f"1,{number}/2")) == (f"{word} `{number}` is not within {taken}", None)


@each_field
@pytest.mark.parametrize(
    "term", ["x", "", "1-2-3", "-1", "1-", "1.5", "**", "1;2", "٣", "+1", "MON-JAN", "123456"]
)
def test_a_term_that_is_none_cannot_be_read(word: str, place: int, term: str) -> None:
    if not term:
        term, text = "", six(place, "1,")
    else:
        text = six(place, term)

    message, hint = mistake(text)

    assert message == f"{word} `{term.upper()}` cannot be read"
    assert hint is not None and hint.startswith("expected ") and hint.endswith("several of these with commas")


@each_field
@pytest.mark.parametrize("step", ["0", "", "-1", "x", "1/2", "٣"])
def test_a_step_is_a_whole_number_from_1(word: str, place: int, step: str) -> None:
    message, _ = mistake(six(place, f"*/{step}"))

    assert message == f"{word} `*/{step.upper()}`: the step after `/` is a whole number from 1"


@pytest.mark.parametrize(("word", "place"), [(word, place) for word, place, *_ in FIELDS[:5]])
def test_a_range_that_goes_down_says_how_to_write_both_ends(word: str, place: int) -> None:
    lowest, highest = {"day of month": (1, 31), "month": (1, 12), "hour": (0, 23)}.get(word, (0, 59))

    assert mistake(six(place, "5-2")) == (
        f"{word} `5-2`: a range goes upwards",
        f"write `5-{highest},{lowest}-2`",
    )


@each_field
def test_a_question_mark_is_another_dialects(word: str, place: int) -> None:
    assert mistake(six(place, "?")) == (f"{word} `?` is another dialect's", "write `*`")


@pytest.mark.parametrize("term", ["#1", "MON#0", "MON#6", "MON#", "8#1#2", "X#1", "MON#1-2"])
def test_which_of_the_month_is_from_1_to_5(term: str) -> None:
    message, _ = mistake(six(5, term))

    assert message == f"day of week `{term}`: expected a day and which of the month, such as `TUE#1`"


@pytest.mark.parametrize(
    ("place", "term"),
    [(3, "5L"), (3, "L-1"), (3, "W"), (4, "L"), (1, "L"), (5, "L"), (5, "LW"), (3, "TUE#1")],
)
def test_special_days_stand_in_their_own_field(place: int, term: str) -> None:
    message, _ = mistake(six(place, term))

    assert message == f"{FIELDS[place][0]} `{term}` cannot be read"


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 8])
def test_a_wrong_number_of_fields_says_which_there_are(number: int) -> None:
    message, hint = mistake(" ".join("*" * number))

    assert message == f"`{' '.join('*' * number)}` has {number} field{'' if number == 1 else 's'}"
    assert hint is not None
    assert hint.startswith("write five: minute, hour, day of month, month, day of week; or six, with seconds")


def test_a_weekday_by_number_in_a_named_field_says_both_numberings() -> None:
    fields = (("hour", "9"), ("day_of_week", "1-5"))
    with pytest.raises(InvalidCron) as raised:
        read_cron_fields(fields)

    assert str(raised.value) == (
        "day of week `1` is a number, and weekdays have several: "
        "crontab counts them from 0, Sunday; others, such as APScheduler, from 0, Monday"
    )
    assert raised.value.hint == "write its name: MON, if you mean crontab's"
    assert field_of(raised.value, fields) == "day_of_week"


@pytest.mark.parametrize("year", ["1969", "2200", "26"])
def test_a_year_is_written_whole(year: str) -> None:
    with pytest.raises(InvalidCron, match=f"year `{year}` is not within 1970-2199"):
        read_cron_fields((("year", year),))


def test_fields_that_are_right_and_never_meet_are_nobodys_mistake() -> None:
    fields = (("day", "30"), ("month", "FEB"))
    with pytest.raises(InvalidCron, match="never fires") as raised:
        read_cron_fields(fields)

    assert field_of(raised.value, fields) is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("0 9 * * monday", "day of week `MONDAY` cannot be read", "names are short: write `MON`"),
        ("0 9 * january *", "month `JANUARY` cannot be read", "names are short: write `JAN`"),
        (
            "0 9 15W * *",
            "day of month `15W` cannot be read",
            "the nearest weekday is another dialect's; the last workday of the month is `LW`",
        ),
        (
            "TZ=Europe/Berlin 0 9 * * *",
            "`TZ=Europe/Berlin 0 9 * * *` sets a variable, as in a crontab",
            "a zone is the field `timezone` of the task",
        ),
        (
            "0 9 * * * root /usr/bin/backup --all",
            "`0 9 * * * root /usr/bin/backup --all` has 8 fields",
            "write five: minute, hour, day of month, month, day of week; or six, with seconds first; "
            "a command is left away",
        ),
    ],
)
def test_what_comes_from_elsewhere_is_told_in_our_own_words(text: str, message: str, hint: str) -> None:
    assert mistake(text) == (message, hint)
