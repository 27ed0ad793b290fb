"""What a task inherits, what clears it, and what a few fields mean."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, Field, field_validator

from taskcfg.problems import Severity
from taskcfg.source.loader import Loaded, load_text
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import At, Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.types.declare import TaskType
from taskcfg.types.params import Params
from taskcfg.types.registry import Registry

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


class Column(Params):
    name: str
    width: int = 10


class ReportParams(Params):
    recipients: list[str] = Field(min_length=1)
    window: timedelta = timedelta(days=7)
    columns: list[Column] = Field(default_factory=list)
    limit: int | list[int] | None = None
    by_name: dict[str, Column] = Field(default_factory=dict)

    @field_validator("recipients")
    @classmethod
    def _have_an_at(cls, recipients: list[str]) -> list[str]:
        if "boom" in recipients:
            raise RuntimeError("boom")
        if any("@" not in recipient for recipient in recipients):
            raise ValueError("Every recipient needs an @.")
        return recipients


REPORT = TaskType(
    name="report",
    function=lambda params: None,
    params_model=ReportParams,
    summary="",
    module="myapp.tasks",
    queue="reports",
    priority=3,
    policy=Policy(
        timeout=timedelta(minutes=15),
        retry=Retry(attempts=2, delay=timedelta(seconds=5)),
        overlap=Overlap(OverlapMode.ALLOW),
        catch_up=CatchUp.NONE,
        expires=timedelta(hours=1),
        delivery=Delivery.AT_MOST_ONCE,
    ),
)
REGISTRY = Registry([REPORT])


def load(text: str) -> Loaded:
    return load_text(text, REGISTRY, file="a.yaml", now=NOW)


def only(text: str) -> TaskSpec:
    loaded = load(text)
    assert [problem.text() for problem in loaded.problems if problem.severity is Severity.ERROR] == []
    (spec,) = loaded.specs
    return spec


def problems(text: str) -> list[str]:
    return [f"{p.position.line}:{p.position.column}: {p.message}" for p in load(text).problems]


BARE = """\
tasks:
  weekly:
    type: report
    schedule: {cron: "0 6 * * MON"}
    params: {recipients: [a@example.org]}
"""


def test_what_nobody_says_is_the_types_own_default() -> None:
    spec = only(BARE)

    assert (spec.queue, spec.priority, spec.policy) == ("reports", 3, REPORT.policy)
    assert (spec.timezone, spec.enabled, spec.description) == ("UTC", True, None)
    assert str(spec.position) == "a.yaml:2:3"


def test_params_are_stored_with_every_default_resolved_and_durations_in_seconds() -> None:
    assert only(BARE).params == {
        "recipients": ["a@example.org"],
        "window": 604_800,
        "columns": [],
        "limit": None,
        "by_name": {},
    }


def test_the_task_goes_over_the_files_defaults_and_those_over_the_types() -> None:
    spec = only(
        "defaults: {queue: slow, timeout: 1h, retry: {delay: 1m, backoff: exponential}}\n"
        + BARE
        + "    timeout: 2h\n    retry: {attempts: 9}\n"
    )

    assert (spec.queue, spec.priority) == ("slow", 3)
    assert spec.policy.timeout == timedelta(hours=2)
    assert spec.policy.retry == Retry(9, timedelta(minutes=1), Backoff.EXPONENTIAL)
    assert spec.policy.catch_up is CatchUp.NONE


def test_an_explicit_empty_value_clears_what_would_be_inherited() -> None:
    fields = (
        "timeout",
        "queue",
        "priority",
        "retry",
        "overlap",
        "catch_up",
        "expires",
        "delivery",
        "timezone",
    )
    spec = only(
        "defaults: {timezone: Europe/Berlin, description: x}\n"
        + BARE
        + "".join(f"    {field}:\n" for field in (*fields, "description"))
    )

    assert (spec.queue, spec.priority, spec.policy, spec.timezone) == (None, 5, Policy(), "UTC")
    assert spec.description is None


def test_one_field_of_retry_can_be_cleared_alone() -> None:
    assert only(BARE + "    retry: {delay: }\n").policy.retry == Retry(attempts=2)


def test_mappings_in_params_merge_and_lists_replace() -> None:
    spec = only(
        "defaults:\n"
        "  params: {recipients: [x@example.org], by_name: {a: {name: A}, b: {name: B, width: 1}}}\n"
        + BARE.replace("{recipients", "{by_name: {b: {width: 2}}, recipients")
    )

    assert spec.params["recipients"] == ["a@example.org"]
    assert spec.params["by_name"] == {"a": {"name": "A", "width": 10}, "b": {"name": "B", "width": 2}}


def test_a_problem_in_the_defaults_is_said_once_for_all_tasks() -> None:
    text = "defaults: {timeout: soon, params: {window: later, recipents: []}}\n" + BARE
    text += BARE.replace("tasks:\n", "").replace("weekly", "daily")

    assert [problem[:50] for problem in problems(text)] == [
        "1:21: timeout: `soon` is not a duration such as `9",
        "1:44: params.window: `later` is not a duration suc",
        "1:51: params.recipents: unknown field",
    ]
    assert load(text).specs == ()


def test_errors_deep_in_params_are_found_at_their_places() -> None:
    text = BARE.replace(
        "{recipients: [a@example.org]}",
        "\n      recipients: [a]\n      columns:\n        - {name: ok}\n        - {nme: x, width: wide}\n"
        "      by_name: {a: {width: 1}}\n",
    )

    assert problems(text) == [
        "6:19: params.recipients: every recipient needs an @",
        "9:11: params.columns[1].name: missing",
        "9:12: params.columns[1].nme: unknown field",
        "9:27: params.columns[1].width: expected a whole number, found `wide`",
        "10:17: params.by_name.a.name: missing",
    ]
    (unknown,) = [problem for problem in load(text).problems if "unknown" in problem.message]
    assert (unknown.hint, unknown.task, unknown.field) == (
        "did you mean `name`?",
        "weekly",
        "params.columns[1].nme",
    )


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("x", "5:21: params.limit: expected a whole number or a list, found `x`"),
        ("[1, x]", "5:25: params.limit[1]: expected a whole number, found `x`"),
        ("{a: 1}", "5:21: params.limit: expected a whole number or a list, found a mapping"),
    ],
)
def test_one_mistake_in_a_union_is_one_problem(limit: str, problem: str) -> None:
    assert problems(BARE.replace("{recipients", f"{{limit: {limit}, recipients")) == [problem]


def test_a_type_whose_own_check_breaks_is_a_problem_and_no_traceback() -> None:
    (problem,) = load(BARE.replace("a@example.org", "boom")).problems

    assert problem.message == "params: the check of type `report` failed: RuntimeError: boom"
    assert problem.hint == "mend myapp.tasks"


def test_params_that_no_database_can_keep_are_a_problem() -> None:
    class Loose(BaseModel):
        value: float = 0.0

    loose = TaskType("loose", lambda params: None, Loose, "", "myapp")  # type: ignore[arg-type]  # not closed
    text = "tasks: {a: {type: loose, schedule: manual, params: {value: Infinity}}}"

    (problem,) = load_text(text, Registry([loose]), now=NOW).problems

    assert problem.message == "params: inf is not a number that can be stored"


def test_numbers_are_stored_as_every_database_gives_them_back() -> None:
    assert REPORT.canonical_params({"recipients": ["a@b"], "window": 1.5})["window"] == 1.5
    text = "tasks: {a: {type: celery, schedule: manual, params: {task: t, args: [1e22, -0.0, 1.0]}}}"
    args = only(text).params["args"]

    assert [repr(number) for number in args] == ["10000000000000000000000", "0.0", "1.0"]


@pytest.mark.parametrize(
    ("written", "zone", "instant"),
    [
        ("2026-06-01T12:00:00Z", "Europe/Berlin", "2026-06-01T12:00:00+00:00"),
        ("2026-06-01t12:00z", "Europe/Berlin", "2026-06-01T12:00:00+00:00"),
        ('"2026-06-01 12:00:00.5+0200"', "UTC", "2026-06-01T10:00:00.500000+00:00"),
        ("2026-06-01T12:00", "Europe/Berlin", "2026-06-01T10:00:00+00:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),
        ("2027-03-28T02:30:10", "Europe/Berlin", "2027-03-28T01:00:00+00:00"),
    ],
    ids=["utc", "small letters", "with a space", "local", "twice: the first", "in the gap: right after it"],
)
def test_an_instant_without_offset_is_in_the_tasks_zone(written: str, zone: str, instant: str) -> None:
    schedule = only(
        BARE.replace('{cron: "0 6 * * MON"}', f"{{at: {written}}}") + f"    timezone: {zone}\n"
    ).schedule

    assert schedule == At((datetime.fromisoformat(instant),))


def test_instants_are_ordered_and_distinct_and_over_only_when_the_last_one_is() -> None:
    at = "[2026-05-01T00:00:00Z, 2020-01-01T00:00:00Z, 2026-05-01T02:00:00+02:00]"
    spec = only(BARE.replace('{cron: "0 6 * * MON"}', f"{{at: {at}}}"))

    assert spec.schedule == At((datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)))


def test_instants_all_in_the_past_are_a_warning() -> None:
    loaded = load(BARE.replace('{cron: "0 6 * * MON"}', "{at: [2020-01-01T00:00:00Z, 2021-01-01T00:00:00Z]}"))

    (problem,) = loaded.problems
    assert (problem.severity, problem.message) == (
        Severity.WARNING,
        "schedule.at: is over: it will not fire any more",
    )
    assert loaded.valid and len(loaded.specs) == 1


def test_a_schedule_of_another_kind_replaces_the_defaults_and_one_of_the_same_kind_merges() -> None:
    defaults = "defaults: {schedule: {every: 1h, anchor: 2026-01-01T00:00:00Z}}\n"
    anchor = datetime(2026, 1, 1, tzinfo=UTC)

    same = only(defaults + BARE.replace('{cron: "0 6 * * MON"}', "{every: 2h}"))
    half = only(defaults + BARE.replace('{cron: "0 6 * * MON"}', "{anchor: 2027-01-01T00:00:00Z}"))

    assert only(defaults + BARE).schedule == Cron("0 6 * * MON")
    assert same.schedule == Every(timedelta(hours=2), anchor)
    assert half.schedule == Every(timedelta(hours=1), datetime(2027, 1, 1, tzinfo=UTC))


def test_a_name_is_kept_in_its_normal_form() -> None:
    assert only(BARE.replace("weekly", "cafe\u0301")).name == "caf\u00e9"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "tasks:\n", "tasks: {}\n", "defaults: {queue: q}\n", "---\n"]
)
def test_a_file_without_tasks_is_a_warning(text: str) -> None:
    loaded = load(text)

    assert [problem.text() for problem in loaded.problems] == [
        "a.yaml:1:1: warning: the file declares no tasks"
    ]
    assert (loaded.valid, loaded.tasks, loaded.files) == (True, 0, 1)
