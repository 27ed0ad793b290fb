"""The fact tables of tests/data/schedules as cases: what other schedulers' own tests say."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from taskcfg.spec.schedule import Cron, CronFields, Dst, Part, qualified
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.timetable import timetable

FOLDER = Path(__file__).parent / "data" / "schedules"
NEVER: tuple[datetime, ...] = ()
_FIELDS = ("second", "minute", "hour", "day", "month", "day_of_week", "year")


@dataclass(frozen=True)
class Case:
    """After `start`, `rule` in `zone` fires first at `expected`; `refused`: it cannot be read there."""

    name: str
    rule: Cron | CronFields
    zone: str
    start: datetime
    expected: tuple[datetime, ...]
    refused: bool = False
    dst: Dst = Dst()  # noqa: RUF009 frozen

    def answer(self) -> tuple[datetime, ...] | str:
        """Return what ours says: the first fires after `start`, or why the rule cannot be read."""
        schedule: Part = qualified(self.rule, dst=self.dst)
        found = self.start
        answers = []
        try:
            table = timetable(schedule, self.zone)
        except InvalidCron as error:
            return NEVER if "never fires" in str(error) else str(error)
        while len(answers) < max(len(self.expected), 1):
            after = table.next_after(found)
            if after is None:
                break
            found = after.at
            answers.append(found)
        return tuple(answers)

    def agrees(self) -> bool:
        answer = self.answer()
        return isinstance(answer, str) if self.refused else answer == self.expected

    def rewritten(self, change: Callable[[str], str]) -> "Case":
        assert isinstance(self.rule, Cron)
        return replace(self, rule=Cron(change(self.rule.expression)))


def _table(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def _local(text: str, zone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def cronsim_riga() -> Iterator[Case]:
    for case in _table("cronsim_dst_riga.json")["cases"]:
        start = _local(case["start_local"], case["tz"], case["fold"])
        yield Case(case["name"], Cron(case["expr"]), case["tz"], start, tuple(map(_utc, case["expected"])))


def robfig() -> Iterator[Case]:
    table = _table("robfig_cron_v3.json")
    for number, case in enumerate(table["next"]):
        zone, spec = _robfig_zone(case["spec"])
        of_start, start = _robfig_zone(case["at"])
        expected = (_robfig_instant(case["expected"]),) if case["expected"] else NEVER
        yield Case(f"next-{number}", Cron(spec), zone or of_start or "UTC", _robfig_instant(start), expected)


def robfig_activations() -> Iterator[tuple[Case, bool]]:
    """Yield cases whose expected instant is, or is not, a fire time."""
    for number, case in enumerate(_table("robfig_cron_v3.json")["activation"]):
        at = _robfig_instant(case["at"])
        found = Case(f"activation-{number}", Cron(case["spec"]), "UTC", at - timedelta(seconds=1), (at,))
        yield found, case["matches"]


def _robfig_zone(text: str) -> tuple[str | None, str]:
    if not text.startswith(("TZ=", "CRON_TZ=")):
        return None, text
    zone, _, rest = text.partition(" ")
    return zone.partition("=")[2], rest


def _robfig_instant(text: str) -> datetime:
    if text[0].isdigit():
        return _utc(text)
    _, _, rest = text.partition(" ")  # the day of the week: it is wrong in some
    form = "%b %d %H:%M:%S %Y" if text.count(":") == 2 else "%b %d %H:%M %Y"
    return datetime.strptime(rest, form).replace(tzinfo=UTC)


def apscheduler() -> Iterator[Case]:
    for case in _table("apscheduler3_dst.json")["cases"]:
        rule = CronFields(
            tuple((name, str(case["trigger"][name])) for name in _FIELDS if name in case["trigger"])
        )
        start = _local(case["start_local"], case["tz"], case["start_fold"])
        expected = _local(case["expected_local"], case["tz"], case["expected_fold"])
        yield Case(case["id"], rule, case["tz"], start, (expected,))


def celery() -> Iterator[Case]:
    """Yield Celery's cases as crontab text."""
    for case in _table("celery_crontab_next.json")["cases"]:
        given = case["crontab"]
        names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        text = " ".join(_listed(given.get(name, "*")) for name in names)
        start, expected = (
            datetime.fromisoformat(case[key]).replace(tzinfo=UTC) for key in ("now", "expected")
        )
        yield Case(case["name"], Cron(text), "UTC", start, (expected,))


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def dialects() -> Iterator[Case]:
    """Yield what Celery, APScheduler and croniter make of the same text; `name` is library and text."""
    for row in _table("cron_dialects.json")["rows"]:
        for library in ("celery_crontab", "apscheduler3_from_crontab", "croniter"):
            said = row[library]
            refused = isinstance(said, str) and "never occurs" not in said and "failed to find" not in said
            expected = NEVER if isinstance(said, str) else tuple(map(_utc, said))
            name = f"{library} {row['expr']}"
            yield Case(name, Cron(row["expr"]), row["tz"], _utc(row["start"]), expected, refused)


def kubernetes() -> Iterator[tuple[str, dict[str, Any]]]:
    table = _table("k8s_unmet_schedule_times.json")
    for case in table["cases"]:
        yield table["schedule"], case


def systemd() -> list[dict[str, str]]:
    cases: list[dict[str, str]] = _table("systemd_calendarspec_next.json")["cases"]
    return cases
