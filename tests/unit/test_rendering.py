"""How results look on a terminal: columns, times, lengths of time."""

from datetime import UTC, datetime

import pytest

from taskcfg.problems import Position, Problem, Severity
from taskcfg_cli.render.plan import print_warnings
from taskcfg_cli.render.table import pairs, printable, shortened, table
from taskcfg_cli.render.times import local_words, parse_instant, relative, span

NOW = datetime(2026, 10, 22, 17, tzinfo=UTC)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["NAME", "TYPE"], [["billing.nightly", "celery"], ["a", "http"]]) == [
        "NAME             TYPE",
        "billing.nightly  celery",
        "a                http",
    ]


def test_what_is_absent_shows_as_a_dash_and_no_line_ends_in_blanks() -> None:
    assert table(["A", "B", ""], [["1", None, ""]]) == ["A  B", "1  -  -"]


def test_wide_letters_count_twice_and_accents_not_at_all() -> None:
    assert table(["N", "X"], [["日本", "1"], ["e\u0301", "2"]]) == ["N     X", "日本  1", "e\u0301     2"]


def test_nothing_in_a_cell_moves_the_cursor() -> None:
    assert table(["N"], [["a\x1b[2Jb\r\nc\td"]])[1] == "a?[2Jb c d"
    assert printable("one\n\ttwo\x07") == "one\n\ttwo?"
    assert printable("a\u202etxt.exe\u2066\u2028\x9b\ud800") == "a?txt.exe????"
    assert printable("日本 é שלום \U0001f469\u200d\U0001f4bb") == "日本 é שלום \U0001f469\u200d\U0001f4bb"


def test_long_talk_is_cut_to_one_line() -> None:
    assert shortened("boom\n" * 3) == "boom boom boom"
    assert len(shortened("boom " * 100_000)) == 200
    assert shortened(" " * 1000 + "end") == "..."
    assert shortened(None) == ""


def test_pairs_stand_in_two_columns_without_what_is_unknown() -> None:
    assert pairs([("name", "a"), ("description", "b"), ("owner", None)]) == [
        "name         a",
        "description  b",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0.0004s"),
        (0.25, "0.25s"),
        (9.87654, "9.88s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3725, "1h2m"),
        (86_400, "1d"),
        (86_460, "1d"),
        (100_000, "1d3h"),
        (40_000_000, "462d23h"),
    ],
)
def test_lengths_of_time_have_at_most_two_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_instants_read_from_now() -> None:
    assert relative(datetime(2026, 10, 23, 0, tzinfo=UTC), NOW) == "in 7h"
    assert relative(datetime(2026, 10, 22, 16, 55, tzinfo=UTC), NOW) == "5m ago"
    assert relative(NOW, NOW) == "now"


def test_local_words_are_those_of_the_zone_with_the_year_only_when_it_is_another() -> None:
    assert (
        local_words(datetime(2026, 10, 23, 0, 30, tzinfo=UTC), "Europe/London", NOW) == "Fri 23 Oct 01:30 BST"
    )
    assert local_words(datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", NOW) == (
        "Fri 1 Jan 2027 00:30 CET"
    )
    assert local_words(datetime(2026, 10, 23, 0, 30, 5, tzinfo=UTC), "UTC", NOW) == "Fri 23 Oct 00:30:05 UTC"


def test_instants_are_written_as_iso_8601_or_counted_from_now() -> None:
    assert parse_instant("2026-10-25T01:30:00+01:00", sign=1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse_instant("2026-10-25T01:30Z", sign=1).tzinfo is not None
    assert parse_instant("2h", sign=-1) < parse_instant("now", sign=1) < parse_instant("2h", sign=1)


@pytest.mark.parametrize("text", ["", "soon", "2026", "12:30", "9999w", "-2h"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_instant(text, sign=-1)


def test_beside_a_plan_few_warnings_are_shown_and_the_others_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warnings = [
        Problem(Position("a.yaml", line, 1), "schedule: odd", "mend it", severity=Severity.WARNING)
        for line in range(1, 501)
    ]

    print_warnings(warnings[:10])
    all_of_them = capsys.readouterr().err.splitlines()
    print_warnings(warnings)
    first_few = capsys.readouterr().err.splitlines()

    assert all_of_them[-2:] == ["a.yaml:10:1: warning: schedule: odd", "    mend it"]
    assert len(first_few) == 19
    assert first_few[-1] == "491 more warnings: `taskcfg validate` shows them all"
