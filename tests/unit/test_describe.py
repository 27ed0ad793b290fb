"""A plan in words: exact, since people and scripts read it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from taskcfg.problems import Position
from taskcfg.reconcile.describe import applied_total, plan_lines, plan_total, value_text
from taskcfg.reconcile.plan import Plan, build_plan
from taskcfg.reconcile.plan_document import plan_document
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.schedule import At, Cron, CronFields, Every, Manual, Schedule, qualified, union
from taskcfg.spec.task import TaskSpec
from taskcfg.testing import make_spec

NOW = datetime(2026, 10, 22, 17, tzinfo=UTC)
PARAMS = {"target": "files", "older_than": 86_400}


def nightly(cron: str, **fields: object) -> TaskSpec:
    return TaskSpec(
        "billing.nightly",
        "cleanup",
        Cron(cron),
        PARAMS,
        timezone="Europe/London",
        position=Position("tasks.d/billing.yaml", 12, 3),
        **fields,
    )


def row(spec: TaskSpec, *, version: int = 1, readable: bool = True) -> LiveTask:
    return LiveTask(
        5, spec.name, spec.digest, version=version, applied_version=1, spec=spec if readable else None
    )


def plan_from(
    *wanted: TaskSpec, live: tuple[LiveTask, ...] = (), retired: dict[str, int] | None = None
) -> Plan:
    return build_plan("main", {spec.name: spec for spec in wanted}, {one.name: one for one in live}, retired)


def text(plan: Plan) -> str:
    return "\n".join([*plan_lines(plan), plan_total(plan)])


def test_an_update_shows_its_fields_and_where_the_task_stands() -> None:
    plan = plan_from(nightly("30 1 * * *"), live=(row(nightly("0 2 * * *")),))

    assert (
        text(plan)
        == """\
Symbols: ~ update

  ~ billing.nightly will be updated                       tasks.d/billing.yaml:12
      schedule.cron  "0 2 * * *" -> "30 1 * * *"   (Europe/London)

Plan: 0 to add, 1 to change, 0 to delete, 0 to rename. 0 unchanged."""
    )


def test_values_of_several_fields_stand_in_one_column_and_durations_read_as_written() -> None:
    before = nightly("0 2 * * *", policy=Policy(timeout=timedelta(minutes=10)))
    after = nightly("0 2 * * *", queue="slow", policy=Policy(retry=Retry(attempts=3)))

    assert plan_lines(plan_from(after, live=(row(before),)))[2:-1] == [
        "  ~ billing.nightly will be updated                       tasks.d/billing.yaml:12",
        "      timeout         10m -> null",
        "      retry.attempts  1 -> 3",
        '      queue           null -> "slow"',
    ]


def test_a_create_shows_type_schedule_and_what_is_not_the_default() -> None:
    plan = plan_from(nightly("0 2 * * *", enabled=False))

    assert (
        text(plan)
        == """\
Symbols: + create

  + billing.nightly will be created                       tasks.d/billing.yaml:12
      type               "cleanup"
      schedule.cron      "0 2 * * *"   (Europe/London)
      timezone           "Europe/London"
      params.target      "files"
      params.older_than  86400
      enabled            false

Plan: 1 to add, 0 to change, 0 to delete, 0 to rename. 0 unchanged."""
    )


def test_a_restored_task_says_so() -> None:
    lines = plan_lines(plan_from(nightly("0 2 * * *"), retired={"billing.nightly": 9}))

    assert lines[3] == "      restored: the retired task's history goes on; fires only from now"


def test_a_delete_says_what_becomes_of_the_task() -> None:
    plan = plan_from(make_spec("kept"), live=(row(make_spec("reports.legacy")), row(make_spec("kept"))))

    assert (
        text(plan)
        == """\
Symbols: - delete

  - reports.legacy will be deleted (not in source `main`)
      retired: stops firing, history kept

Plan: 0 to add, 0 to change, 1 to delete, 0 to rename. 1 unchanged."""
    )


def test_a_change_by_hand_that_will_be_undone_is_pointed_out() -> None:
    lines = plan_lines(plan_from(nightly("0 2 * * *"), live=(row(nightly("0 3 * * *"), version=2),)))

    assert lines[-2] == "      ! changed by hand in the database since it was last applied"


def test_an_unreadable_row_is_said_to_be_written_anew() -> None:
    broken = LiveTask(5, "billing.nightly", "?", version=1, applied_version=1)

    assert "      its row cannot be read and is written anew" in plan_lines(
        plan_from(nightly("0 2 * * *"), live=(broken,))
    )


def test_changes_are_shown_by_name_with_a_legend_of_the_symbols_used() -> None:
    plan = plan_from(make_spec("c"), make_spec("a"), live=(row(make_spec("b")),))

    lines = plan_lines(plan)

    assert lines[0] == "Symbols: + create, - delete"
    assert [line[2:5] for line in lines if line.startswith("  ") and line[2] != " "] == ["+ a", "- b", "+ c"]


def test_without_changes_there_is_one_line() -> None:
    specs = [make_spec(f"t{number}") for number in range(14)]

    assert text(plan_from(*specs, live=tuple(row(spec) for spec in specs))) == (
        "No changes. 14 tasks match the configuration."
    )
    assert text(plan_from(make_spec(), live=(row(make_spec()),))) == (
        "No changes. 1 task matches the configuration."
    )
    assert text(plan_from()) == "No changes. 0 tasks match the configuration."


def test_an_apply_says_what_it_did() -> None:
    plan = plan_from(nightly("30 1 * * *"), live=(row(nightly("0 2 * * *")), row(make_spec("old"))))

    assert applied_total(plan) == "Apply complete! Tasks: 0 added, 1 changed, 1 deleted, 0 renamed."


def test_the_document_has_terraforms_keys() -> None:
    old, new, same = nightly("0 2 * * *"), nightly("30 1 * * *"), make_spec("same")
    plan = plan_from(
        new,
        same,
        make_spec("back"),
        live=(row(old), row(same), row(make_spec("gone"), version=4)),
        retired={"back": 3},
    )

    document = plan_document(
        plan,
        {spec.name: spec for spec in (new, same, make_spec("back"))},
        timestamp=NOW,
        base_revision=12,
        repo="https://git.example/tasks",
        commit="abc",
        dirty=False,
    )

    changes = document.pop("resource_changes")
    assert document == {
        "format_version": "1.0",
        "timestamp": "2026-10-22T17:00:00Z",
        "environment": None,
        "source": {"name": "main", "repo": "https://git.example/tasks", "commit": "abc", "dirty": False},
        "base": {"revision": 12, "rows": {"billing.nightly": 1, "gone": 4}},
        "resource_drift": [],
        "paused": [],
        "summary": {"add": 1, "change": 1, "delete": 1, "rename": 0, "unchanged": 1},
        "has_changes": True,
        "errored": False,
    }
    assert [(one["address"], one["change"]["actions"], one["action_reason"]) for one in changes] == [
        ("back", ["create"], "restored"),
        ("billing.nightly", ["update"], None),
        ("gone", ["delete"], "not_in_source"),
        ("same", ["no-op"], None),
    ]
    assert changes[1] == {
        "address": "billing.nightly",
        "previous_address": None,
        "type": "cleanup",
        "change": {"actions": ["update"], "before": old.document(), "after": new.document()},
        "action_reason": None,
        "range": {"filename": "tasks.d/billing.yaml", "line": 12, "column": 3},
        "fires": None,
    }
    assert changes[2]["change"]["after"] is None
    assert changes[3]["change"]["before"] == changes[3]["change"]["after"]


def test_a_delete_of_an_unreadable_row_has_no_type() -> None:
    broken = LiveTask(5, "gone", "?", version=1, applied_version=1)

    document = plan_document(plan_from(live=(broken,)), {}, timestamp=NOW, base_revision=None)

    (change,) = document["resource_changes"]
    assert (change["type"], change["change"]["before"], change["range"]) == (None, None, None)


def test_only_durations_of_tasks_are_written_as_durations() -> None:
    assert value_text("schedule.every", 5400) == "1h30m"
    assert value_text("params.count", 5400) == "5400"
    assert value_text("timeout", None) == "null"
    assert value_text("labels.name", "müßig") == '"müßig"'


def scheduled(schedule: Schedule) -> TaskSpec:
    return replace(nightly("0 2 * * *"), schedule=schedule)


def schedule_lines(before: Schedule, after: Schedule) -> list[str]:
    return plan_lines(plan_from(scheduled(after), live=(row(scheduled(before)),)))[3:-1]


def test_a_list_of_schedules_is_one_value_and_reads_as_written() -> None:
    holidays = calendar_of("holidays", [date(2026, 12, 25)])
    several = union(
        [
            Cron("0 2 * * *"),
            qualified(CronFields((("hour", "9"),)), timezone="Asia/Tokyo", skip_on=[holidays]),
            qualified(Every(timedelta(minutes=15)), end=NOW),
            At((NOW,)),
        ]
    )

    assert schedule_lines(Cron("0 2 * * *"), several) == [
        '      schedule  {cron: "0 2 * * *"} -> [{at: 2026-10-22T17:00:00Z}, {cron: "0 2 * * *"}, '
        '{cron: {hour: "9"}, timezone: Asia/Tokyo, skip_on: [holidays]}, '
        "{every: 15m, end: 2026-10-22T17:00:00Z}]   (Europe/London)"
    ]
    assert schedule_lines(several, Manual())[0].endswith(' -> "manual"')


def test_a_schedule_is_shown_in_its_own_zone() -> None:
    before = qualified(Cron("0 2 * * *"), timezone="Asia/Tokyo")
    fields = CronFields((("minute", "0"), ("hour", "9")))

    assert schedule_lines(before, qualified(Cron("0 3 * * *"), timezone="Asia/Tokyo")) == [
        '      schedule.cron  "0 2 * * *" -> "0 3 * * *"   (Asia/Tokyo)'
    ]
    assert schedule_lines(fields, CronFields((("minute", "5"), ("hour", "8")))) == [
        '      schedule.cron.minute  "0" -> "5"   (Europe/London)',
        '      schedule.cron.hour    "9" -> "8"',
    ]


def test_calendars_are_named() -> None:
    one, two = (calendar_of(name, [date(2026, 12, 25)]) for name in ("holidays", "audits"))
    before = qualified(Cron("0 2 * * *"), skip_on=[one])

    assert schedule_lines(before, qualified(Cron("0 2 * * *"), skip_on=[one, two])) == [
        '      schedule.skip_on  ["holidays"] -> ["audits", "holidays"]'
    ]
