"""The canonical layout of task files: what it changes, what it keeps, and that it settles."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pages import read, rows
from taskcfg.errors import InvalidTaskFiles
from taskcfg.source.formatting.arranging import ORDER
from taskcfg.source.formatting.layout import formatted
from taskcfg.source.task_fields import FIELDS

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("tests/data/good", "tests/data/bad", "examples", "tasks.d")
    for path in (ROOT / folder).rglob("*.y*ml")
)
SHOWN = [path for path in FILES if "data" not in path.parts]

UGLY = """\
# yaml-language-server: $schema=../.taskcfg/schema.json
x-often: &often {timeout: 5m}
tasks:

    # about nightly,
    # in two lines
    nightly:
        description: |
           as long as it is
             and deeper

           and after a blank line
        # why so late
        schedule:   {cron: "0 23 * * *",  # eleven
           timezone: 'Europe/Berlin'}
        type : celery   # a task of ours
        <<: *often
        params:
            args:
            - one
            -   key: [1,  2]
                other: 0x1F


            # not any more:
            # - three
            task: "a.b"
        # timeout: 10m
    # about weekly

    # more about weekly
    weekly:
        retry:
          # attempts: 3
        schedule: manual
# the end
"""

CANONICAL = """\
# yaml-language-server: $schema=../.taskcfg/schema.json
x-often: &often {timeout: 5m}

tasks:
  # about nightly,
  # in two lines
  nightly:
    <<: *often
    type: celery   # a task of ours
    # why so late
    schedule: {cron: "0 23 * * *",  # eleven
       timezone: 'Europe/Berlin'}
    params:
      args:
        - one
        - key: [1,  2]
          other: 0x1F

      # not any more:
      # - three
      task: "a.b"
    description: |
      as long as it is
        and deeper

      and after a blank line
    # timeout: 10m

  # about weekly

  # more about weekly
  weekly:
    schedule: manual
    retry:
      # attempts: 3
# the end
"""


def test_indentation_order_and_blank_lines_are_the_layout_s_and_all_else_the_author_s() -> None:
    assert formatted(UGLY) == CANONICAL


def test_line_ends_of_windows_and_a_missing_last_one_are_mended() -> None:
    text = 'defaults:\r\n  queue: a\r\n\r\n\r\ntasks:\r\n  a: "x\r\n\r\n    y"'

    assert formatted(text) == 'defaults:\n  queue: a\n\ntasks:\n  a: "x\n\n    y"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("# only a comment\n\n\n\n# and another\n\n", "# only a comment\n\n# and another\n"),
        ("tasks: {}\n---   # two\n\ntasks:\n", "tasks: {}\n---   # two\ntasks:\n"),
        ("# head\n\n# of queue\nqueue: x\ntype: y\n", "# head\n\ntype: y\n# of queue\nqueue: x\n"),
        ("# yaml-language-server: s\nqueue: x\ntype: y\n", "# yaml-language-server: s\ntype: y\nqueue: x\n"),
        ("tasks:\n  a: |\n    cut", "tasks:\n  a: |-\n    cut\n"),
        ("tasks:\n  a: |+\n    x\n\n\n  b: 1\n", "tasks:\n  a: |+\n    x\n\n\n  b: 1\n"),
        ("tasks:\n - |2\n     x\n", "tasks:\n  - |2\n      x\n"),
        ("a:\n    type:\n        long\n       words\n", "a:\n  type:\n    long\n    words\n"),
        ("tasks:\n  a:\n    mine: 1\n    owner: x\n", "tasks:\n  a:\n    owner: x\n    mine: 1\n"),
        ("params: &p [1]\ntype: *p\n", "params: &p [1]\ntype: *p\n"),
    ],
)  # fmt: skip
def test_what_else_may_stand_in_a_file(text: str, expected: str) -> None:
    assert formatted(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks:\n\ta: 1", "a tab cannot indent YAML"),
        ("tasks: !!int 5", "the tag `!!int` is not allowed"),
        ("? tasks\n: 1", "cannot be formatted: a key begins with `?`"),
        ('tasks: "\u2028"', "cannot be formatted: it holds U+2028, which some take for the end of a line"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidTaskFiles) as refused:
        formatted(text, "a.yaml")

    (problem,) = refused.value.problems
    assert problem.message == message
    assert problem.position.file == "a.yaml" and problem.position.line >= 1


def test_every_field_of_a_task_has_its_place_in_the_order() -> None:
    assert sorted(set(FIELDS) - set(ORDER)) == []


def test_the_order_is_that_of_the_table_of_fields() -> None:
    table = [row[0].strip("`") for row in rows(read("task-files.md"), 4) if row[0].startswith("`")]

    assert table == [name for name in ORDER if name in FIELDS]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_we_show_are_in_the_layout(path: Path) -> None:
    assert formatted(path.read_text()) == path.read_text()


def settles(text: str) -> bool:
    """Whether *text* can be laid out; then its layout is its own."""
    try:
        result = formatted(text)
    except InvalidTaskFiles:
        return False
    assert formatted(result) == result
    return True


def test_the_layout_of_every_file_of_ours_settles() -> None:
    texts = [path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff") for path in FILES]

    assert sum(map(settles, texts)) > len(texts) / 2


PIECES = [
    *("  ", "\n", "\n\n", "# c\n", "#", ":", "- ", "|", '"', "'", "{", "}", "[1,\n2]", "&a ", "*a", "---\n"),
    *("<<: ", "\t", ">-\n", "|+\n", "|2\n"),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_layout_of_damaged_files_settles(chance: random.Random) -> None:
    text = chance.choice([UGLY, CANONICAL])
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(text))
        text = text[:place] + chance.choice(PIECES) + text[place + chance.choice([0, 0, 1, 5]) :]

    settles(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-x# :", min_size=1), inner, max_size=3)
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from([2, 4, 7]), st.sampled_from([20, 100])
)
def test_what_a_library_writes_in_any_style_is_laid_out(
    task: dict[str, Any], indent: int, width: int
) -> None:
    text = yaml.safe_dump({"tasks": {"a": task}}, indent=indent, width=width, allow_unicode=True)

    result = formatted(text) if "\n? " not in f"\n{text.replace('  ', '')}" else text

    assert yaml.safe_load(result) == {"tasks": {"a": task}}
