"""How long the history is kept: what the setting may be, and what it means."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from taskcfg.control.history_check import history_found
from taskcfg.errors import InvalidSettings
from taskcfg.settings import load_settings
from taskcfg.spec.retention import ENDED, FAILED, LEAST_AGE, Retention

DAY = timedelta(days=1)


def retention(folder: Path, toml: str = "", **environ: str) -> Retention | None:
    (folder / "taskcfg.toml").write_text(toml)
    return load_settings(environ=environ, folder=folder).retention


def refusal(folder: Path, toml: str = "", **environ: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        retention(folder, toml, **environ)
    return refused.value.message


def test_without_the_setting_nothing_is_deleted(tmp_path: Path) -> None:
    assert retention(tmp_path) is None
    assert retention(tmp_path, '[retention]\nall = "1d"', TASKCFG_RETENTION="") is None


def test_each_way_of_ending_has_an_age_of_its_own_and_all_is_for_the_rest(tmp_path: Path) -> None:
    found = retention(tmp_path, '[retention]\nall = "90d"\nskipped = "7d"\nfailed = "365d"\nkeep = 100')

    assert found is not None
    assert found.ages == {**dict.fromkeys(ENDED, 90 * DAY), "skipped": 7 * DAY, FAILED: 365 * DAY}
    assert (found.keep, found.least_age, found.tells_failures) == (100, 7 * DAY, True)


def test_what_is_not_named_stays_for_ever_and_of_each_task_the_newest(tmp_path: Path) -> None:
    found = retention(tmp_path, '[retention]\nskipped = "7d"')

    assert found == Retention({"skipped": 7 * DAY}, keep=1)
    assert not found.lets_go("done", 1000 * DAY)


def test_failed_goes_as_done_does_unless_it_has_an_age_of_its_own(tmp_path: Path) -> None:
    found = retention(tmp_path, '[retention]\ndone = "30d"')

    assert found is not None
    assert found.ages == {"done": 30 * DAY, FAILED: 30 * DAY}
    assert not found.tells_failures


def test_a_count_alone_lets_go_whatever_is_not_among_the_newest(tmp_path: Path) -> None:
    found = retention(tmp_path, "[retention]\nkeep = 100")

    assert found == Retention(dict.fromkeys(ENDED, LEAST_AGE), keep=100)


def test_the_environment_has_it_as_json(tmp_path: Path) -> None:
    found = retention(tmp_path, '[retention]\nall = "1d"', TASKCFG_RETENTION='{"dead": "2d", "keep": 0}')

    assert found == Retention({"dead": 2 * DAY}, keep=0)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("retention = 3", 'taskcfg.toml: retention: expected a table such as {all = "90d", keep = 100}, '),
        ("[retention]", "found a table"),
        ('[retention]\nrunning = "1d"', 'dead, cancelled and keep, found "running"'),
        ('[retention]\ndone = "soon"', 'done: expected a duration such as 30s, found "soon"'),
        ('[retention]\ndone = "10m"', 'retention: done: expected a duration of 1h or more, found "10m"'),
        ("[retention]\nkeep = -1", "retention: keep: expected a whole number from 0 to 100000, found -1"),
    ],
    ids=["a number", "empty", "a live state", "no duration", "too short", "a negative count"],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, toml: str, said: str) -> None:
    assert said in refusal(tmp_path, toml)


@pytest.mark.parametrize("text", ["90d", "{", "[1]"])
def test_text_that_is_no_table_is_a_mistake_too(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, TASKCFG_RETENTION=text).startswith("TASKCFG_RETENTION: expected a ")


def test_an_age_says_from_when_on() -> None:
    month: dict[str, Any] = {"done": 30 * DAY}

    assert Retention(month).lets_go("done", 30 * DAY)
    assert not Retention(month).lets_go("done", 30 * DAY - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("size", "kept_small", "level"), [(999_999, False, "ok"), (1_000_000, False, "warn"), (10**7, True, "ok")]
)
def test_doctor_warns_of_a_long_history_that_nothing_keeps_small(
    size: int, kept_small: bool, level: str
) -> None:
    finding = history_found(size, kept_small=kept_small)

    assert (finding.level, finding.reason[:19]) == (level, f"about {size:,} fires are"[:19])
