"""A plan as a comment: exact, never too long, and nothing in a file can get out of its place."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from taskcfg.problems import Position, Problem, Severity
from taskcfg.reconcile.outlook import outlooks
from taskcfg.reconcile.plan import Plan, build_plan
from taskcfg.reconcile.plan_markdown import MOST_CHARACTERS, plan_markdown, plan_marker
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.pause import Pause
from taskcfg.spec.schedule import Cron
from taskcfg.spec.task import TaskSpec
from taskcfg.testing import make_spec

NOW = datetime(2026, 10, 22, 17, tzinfo=UTC)


def nightly(cron: str, **fields: object) -> TaskSpec:
    place = Position("tasks.d/billing.yaml", 12, 3)
    return make_spec(
        "billing.nightly", schedule=Cron(cron), timezone="Europe/London", position=place, **fields
    )


def row(spec: TaskSpec) -> LiveTask:
    return LiveTask(5, spec.name, spec.digest, version=1, applied_version=1, spec=spec)


def plan_of(wanted: list[TaskSpec], live: list[TaskSpec], source: str = "main") -> Plan:
    return build_plan(source, {spec.name: spec for spec in wanted}, {spec.name: row(spec) for spec in live})


def test_a_comment_says_the_total_and_holds_each_change_collapsed() -> None:
    plan = plan_of([nightly("30 1 * * *")], [nightly("0 2 * * *"), make_spec("reports.legacy")])
    warning = Problem(
        Position("a.yaml", 1, 2), "fires oddly", "write it so", severity=Severity.WARNING, field="x"
    )

    comment = plan_markdown(
        plan,
        NOW,
        outlooks(plan, NOW),
        environment="prod",
        commit="4f2a1c9d00112233",
        warnings=[warning],
        refusal="apply will refuse this: 1 task of 2\n    `--max-delete 1`",
    )

    assert (
        comment
        == """\
<!-- taskcfg plan: main prod -->

<h3>Plan for <code>main</code> in <code>prod</code></h3>

**Plan: 0 to add, 1 to change, 1 to delete, 0 to rename. 0 unchanged.**

:no_entry: **Refused**

```text
apply will refuse this: 1 task of 2
    `--max-delete 1`
```

<details><summary><code>1 warning</code></summary>

```text
a.yaml:1:2: warning: fires oddly
    write it so
```

</details>

<details><summary><code>~ billing.nightly will be updated tasks.d/billing.yaml:12</code></summary>

```diff
schedule.cron  "0 2 * * *" -> "30 1 * * *"   (Europe/London)
fires: at 02:00 every day, Europe/London -> at 01:30 every day, Europe/London; \
next Fri 23 Oct 01:30 BST, in 7h30m; 7 more, 7 fewer in the next 7d
! Sun 25 Oct: 01:30 comes twice; fires once, the first
```

</details>

<details><summary><code>- reports.legacy will be deleted (not in source `main`)</code></summary>

```diff
retired: stops firing, history kept
fires no more: every 1h, counted from 1970-01-01T00:00:00Z; \
next would have been Thu 22 Oct 17:00 UTC, now; 168 fewer in the next 7d
! due in 0s: will not fire, unless it is due when this is applied
```

</details>

<p><sub>2026-10-22 17:00 UTC, commit <code>4f2a1c9d0011</code></sub></p>
"""
    )


def test_a_rename_is_one_change_under_its_new_name() -> None:
    renamed = make_spec("new", renamed_from="old")

    comment = plan_markdown(plan_of([renamed], [make_spec("old")]), NOW)

    assert comment.count("<details>") == 1
    assert "<code>&gt; new will be renamed (was old)" in comment


def test_a_plan_without_changes_is_a_sentence() -> None:
    comment = plan_markdown(plan_of([make_spec()], [make_spec()]), NOW, as_of=NOW)

    assert comment.split("\n\n")[2] == "**No changes. 1 task matches the configuration.**"
    assert comment.split("\n\n")[3].startswith(
        "<p><sub>2026-10-22 17:00 UTC, against the snapshot of 2026-10-22 17:00 UTC"
    )
    assert "<details>" not in comment


def test_however_large_the_plan_the_comment_fits_and_deletes_are_the_last_to_go() -> None:
    new = [make_spec(f"new.{number:04}") for number in range(5_000)]
    gone = [make_spec(f"old.{number:02}") for number in range(30)]
    plan = plan_of(new, gone)

    comment = plan_markdown(plan, NOW, outlooks(plan, NOW))

    shown = comment.count("<details>")
    assert 60_000 < len(comment) <= MOST_CHARACTERS
    assert comment.count(" will be deleted ") == 30
    assert f"**{5_030 - shown:,} more changes** left out here: {5_030 - shown:,} to add." in comment
    assert comment.index("new.0000") < comment.index("old.00")


def test_a_giant_task_is_shown_in_part() -> None:
    params = {f"p{number}": "x" * 2_000 for number in range(2_000)}
    comment = plan_markdown(plan_of([make_spec(params=params)], []), NOW)

    assert len(comment) <= MOST_CHARACTERS
    assert "+ nightly will be created" in comment
    assert "more lines" in comment
    assert "(2,0" in comment


HOSTILE = st.lists(
    st.sampled_from(
        [
            "```", "````", "`", "~~~", "\n", "\r", "\n\n", " ", "@octocat", "#12", "<b>", "</details>",
            "</code>",
            "</summary>", "<!--", "-->", "<img src=x>", "[a](b)", "**", "&lt;", "\u2028", "x", "'", '"',
            "    ",
            "<script>", "|", "http://example.org", "\U0001f600" * 9, "a" * 99,
        ]
    ),
    max_size=9,
).map("".join)  # fmt: skip

OURS = {"h3", "p", "code", "details", "summary", "sub"}


class Tags(HTMLParser):
    """Notes the tags and comments in HTML, and whether text stands outside of our own."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.comments = 0
        self.loose: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag if not attrs else f"{tag} {attrs}")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["code"] and data.strip():
            self.loose.append(data.strip())


@settings(max_examples=150)
@given(st.data())
def test_nothing_in_files_or_database_gets_out_of_its_place(data: st.DataObject) -> None:
    said = [data.draw(HOSTILE) for _ in range(9)]
    name, gone, source, env, file, about, reason, message, hint = said
    spec = make_spec(f"a{name}", description=about, position=Position(file, 3, 1))
    plan = plan_of([spec], [make_spec(f"b{gone}"), replace(spec, description="")], source)
    paused = replace(plan, paused={spec.name: Pause(by=name, since=NOW, reason=reason, until=None)})
    warning = Problem(Position(file), message, hint, severity=Severity.WARNING)

    comment = plan_markdown(
        paused, NOW, outlooks(paused, NOW), environment=env, warnings=[warning], refusal=message
    )

    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(comment)
    tags = Tags()
    tags.feed("\n".join(token.content for token in tokens if token.type == "html_block"))
    texts = [token.content for token in tokens if token.type == "inline"]
    allowed = {"html_block", "fence", "inline", "paragraph_open", "paragraph_close"}
    assert {token.type for token in tokens} <= allowed
    assert sum(token.type == "fence" for token in tokens) == 2 + len(plan.changes)
    assert (tags.tags, tags.comments) == (OURS, 1)
    assert {each.split(",")[0] for each in tags.loose} <= {"Plan for", "in", "2026-10-22 17:00 UTC"}
    assert {text.split(":")[0] for text in texts} <= {
        "**Plan",
        "**No changes. 0 tasks match the configuration.**",
        "",
    }
    assert len(comment) <= MOST_CHARACTERS


@given(HOSTILE, HOSTILE)
def test_the_marker_is_one_comment_whatever_the_source_is_called(source: str, environment: str) -> None:
    marker = plan_marker(source, environment)
    tags = Tags()
    tags.feed(marker)
    tags.close()

    assert (tags.comments, tags.tags, "\n" in marker, marker[-4:]) == (1, set(), False, " -->")
    assert marker.count("-->") == 1
