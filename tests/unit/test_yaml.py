"""The YAML reader: YAML 1.2's scalars, places, limits, merge keys, and no surprise from YAML 1.1."""

from typing import Any

import pytest
from yaml.nodes import MappingNode

from taskcfg.source import yaml_reader
from taskcfg.source.findings import Findings
from taskcfg.source.nodes import entries_of, value_of
from taskcfg.source.yaml_reader import DEEPEST, LARGEST, read_yaml


def read(text: str | bytes) -> tuple[Any, list[str]]:
    """Return the value that *text* stands for and the problems with it, as text."""
    findings = Findings("a.yaml")
    roots = read_yaml(text.encode() if isinstance(text, str) else text, findings)
    value = value_of(roots[0], findings) if roots else None
    return value, [problem.text() for problem in findings.problems]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "y", "N", "Yes", "tRUE", "nULL", "none")],
        *[(word, word) for word in ("12:30", "1:30:00", "1_000", "0b11", "0x", "0o8", "+", "-x", "1.2.3")],
        *[(word, word) for word in ("2026-01-01", "2026-01-01T00:00:00Z", "=", "<<a", "1e", "0644x")],
        *[(word, None) for word in ("~", "null", "Null", "NULL", "")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[("0", 0), ("-7", -7), ("+7", 7), ("0644", 644), ("0o17", 15), ("0x1F", 31), ("9" * 30, 10**30 - 1)],
        *[("1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("1e3", 1000.0), ("6.02E+23", 6.02e23)],
        *[("'true'", "true"), ('"5"', "5"), ("'~'", "~"), ('"\\u00e9"', "é"), ("9" * 400, "9" * 400)],
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(scalar: str, value: object) -> None:
    found, problems = read(f"a: {scalar}\n")

    assert problems == []
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read("on: 1\n2024: 2\ntrue: 3\n~: 4\n1:30: 5\n") == (
        {"on": 1, "2024": 2, "true": 3, "~": 4, "1:30": 5},
        [],
    )


def test_block_scalars_and_quotes_keep_their_text() -> None:
    assert read("a: |\n  one\n  two\nb: >-\n  one\n  two\nc: 'it''s'\n") == (
        {"a": "one\ntwo\n", "b": "one two", "c": "it's"},
        [],
    )


def test_places_count_characters_from_one() -> None:
    findings = Findings("a.yaml")
    (root,) = read_yaml("é🎉: {ü: [1, ö]}\n".encode(), findings)
    assert isinstance(root, MappingNode)

    ((key, value),) = root.value
    ((inner_key, items),) = value.value

    places = [findings.position(node) for node in (key, value, inner_key, items, items.value[1])]
    assert [(place.line, place.column) for place in places] == [(1, 1), (1, 5), (1, 6), (1, 9), (1, 13)]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_no_document_and_no_problem(content: bytes) -> None:
    assert read(content) == (None, [])


def test_a_byte_order_mark_and_windows_lines_are_taken() -> None:
    assert read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == ({"a": 1, "b": 2}, [])


def test_merge_keys_fill_in_and_never_replace() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\nmerged: {b: 0, <<: [*base, *other]}\n"

    assert read(text)[0]["merged"] == {"b": 0, "a": 1, "c": 4}


def test_a_merge_key_in_quotes_is_a_key_like_any_other() -> None:
    assert read("'<<': {a: 1}\n") == ({"<<": {"a": 1}}, [])


@pytest.mark.parametrize("value", ["1", "[1]", "text"])
def test_a_merge_key_takes_only_mappings(value: str) -> None:
    _, problems = read(f"a: 1\n<<: {value}\n")

    assert ["`<<` takes a mapping or a list of mappings" in problem for problem in problems] == [True]


def test_equal_keys_are_a_problem_at_both_places_and_the_first_one_counts() -> None:
    assert read("a: 1\nb: 2\na: 3\n") == (
        {"a": 1, "b": 2},
        ["a.yaml:1:1: `a` is given twice\n    also at a.yaml:3:1"],
    )


def test_an_alias_may_be_used_often_where_it_stands_for_little() -> None:
    value, problems = read("a: &a {x: 1}\nb: [" + "*a, " * 5_000 + "*a]\n")

    assert problems == []
    assert len(value["b"]) == 5_001


def test_a_file_of_many_tasks_is_not_taken_for_a_bomb() -> None:
    value, problems = read("".join(f"k{number}: [&a{number} 1, *a{number}]\n" for number in range(15_000)))

    assert problems == []
    assert len(value) == 15_000


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (bomb(9), "a.yaml:1:1: the aliases in this file expand to more than 20,000 values"),
        ("a: &a [*a]\n", "a.yaml:1:4: an alias stands inside what it stands for"),
        ("&a {*a : 1}\n", "a.yaml:1:1: an alias stands inside what it stands for"),
        ("[" * 100_000, f"a.yaml:1:{DEEPEST}: nested deeper than 50 levels"),
        ("- " * 100_000, f"a.yaml:1:{2 * DEEPEST - 1}: nested deeper than 50 levels"),
        ("? " * 100_000, f"a.yaml:1:{2 * DEEPEST - 1}: nested deeper than 50 levels"),
        ("{a: " * 100_000, f"a.yaml:1:{4 * DEEPEST - 3}: nested deeper than 50 levels"),
    ],
    ids=["bomb", "cycle", "cycle-in-a-key", "lists", "items", "keys", "mappings"],
)
def test_what_would_exhaust_the_machine_is_a_problem(text: str, problem: str) -> None:
    assert read(text) == (None, [problem])


def test_depth_counts_also_through_aliases() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]

    value, problems = read("\n".join(lines))

    assert value is None
    assert ["nested deeper than 50 levels" in problem for problem in problems] == [True]


def test_a_file_too_large_is_refused_unread() -> None:
    value, problems = read(b"a: " + b"x" * LARGEST)

    assert (value, problems) == (
        None,
        ["a.yaml: the file is larger than 8 MB\n    split it into several"],
    )


def test_a_file_of_too_many_values_is_refused_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml_reader, "MOST_NODES", 1_000)

    assert read("- a\n" * 999)[1] == []
    assert read("- a\n" * 1_000) == (
        None,
        ["a.yaml:1:1: more than 1,000 keys and values in one file\n    split it into several"],
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: \xff\n", "a.yaml:2:4: the file is not in UTF-8\n    save it as UTF-8"),
        ("ü: é".encode() + b"\xc3", "a.yaml:1:5: the file is not in UTF-8\n    save it as UTF-8"),
        ("a: 1".encode("utf-16"), "a.yaml:1:1: the file is in UTF-16\n    save it as UTF-8"),
    ],
)
def test_another_encoding_is_named_with_its_place(content: bytes, problem: str) -> None:
    assert read(content) == (None, [problem])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ta: 1", "1:1: a tab cannot indent YAML"),
        ("a:\n  b: 1\n\tc: 2", "3:1: a tab cannot indent YAML"),
        ("a: @daily", "1:4: a value cannot begin with `@`"),
        ("a: `x`", "1:4: a value cannot begin with ```"),
        ("a: */5 * * * *", '1:4: a value that begins with `*` needs quotes\n    write `"*/5 * * * *"`'),
        ("{a: * * * * *}", '1:5: a value that begins with `*` needs quotes\n    write `"* * * * *"`'),
        ("a: *b", "1:4: no anchor is named `b`"),
        ("a: &x 1\nb: &x 2", "2:4: the anchor `x` is given twice"),
        ("a: b: c", "1:5: not valid YAML: mapping values are not allowed in this context"),
        ('a: "x', "1:4: not valid YAML: a quote that opens here is not closed"),
        ("a: [1, 2", "1:4: not valid YAML: a `[` that opens here is not closed, or a comma is missing"),
        ("a: {b: 1", "1:4: not valid YAML: a `{` that opens here is not closed, or a comma is missing"),
        ("a: 1\nb", "not valid YAML: could not find expected ':'"),
        ('a: "\\q"', "1:5: not valid YAML: found unknown escape character"),
        ("a: !!str 1", "1:4: the tag `!!str` is not allowed"),
        ("a: !x [1]", "1:4: the tag `!x` is not allowed"),
        ('a: ["b\\0"]', "1:5: a NUL character cannot be stored"),
        ("a: \x07", "1:4: the control character U+0007 cannot stand in YAML"),
        ("a: .nan", "1:4: `.nan` is not a number that can be stored"),
        ("? [a]\n: b", "1:3: a key must be text, not a list or a mapping"),
        ("a: ${env:HOME}", "1:4: the environment variable `HOME` is not set"),
        ('a: "\\u0024{secret:}"', "1:4: `${secret:}` names nothing"),
    ],
)
def test_what_is_not_allowed_is_one_problem_at_its_place(text: str, message: str) -> None:
    _, problems = read(text)

    assert len(problems) == 1
    assert message in problems[0]


def test_other_dollars_are_left_alone() -> None:
    value, problems = read('a: "$ ${HOME} $x ${} $"')

    assert value == {"a": "$ ${HOME} $x ${} $"}
    assert problems == [
        "a.yaml:1:4: warning: `${HOME}` is no reference: it stays as it is\n"
        "    did you mean `${env:HOME}`? As text it is `$${HOME}`"
    ]


def test_entries_of_an_alias_are_reported_where_they_stand_and_once() -> None:
    findings = Findings("a.yaml")
    (root,) = read_yaml(b"a: &a {x: 1, x: 2}\nb: *a\n", findings)

    for _, node in entries_of(root, findings).values():
        entries_of(node, findings)

    assert [str(problem.position) for problem in findings.problems] == ["a.yaml:1:8"]


def test_documents_are_read_one_after_the_other_with_places_in_the_file() -> None:
    findings = Findings("a.yaml")

    roots = read_yaml(b"a: 1\n--- b\n---\n...\n---\n[c]\n", findings)

    assert [value_of(root, findings) for root in roots] == [{"a": 1}, "b", None, ["c"]]
    assert [findings.position(root).line for root in roots] == [1, 2, 4, 6]


def test_documents_before_a_syntax_error_are_read() -> None:
    findings = Findings("a.yaml")

    roots = read_yaml(b"a: 1\n---\nb: [\n", findings)

    assert [value_of(root, findings) for root in roots] == [{"a": 1}]
    assert [str(problem.position) for problem in findings.problems] == ["a.yaml:4:1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("---\n" * 1002, "more than 1,000 documents in one file"),
        ("---\n" + "[" * 60, "nested deeper than 50 levels"),
        ("a: 1\n---\na: &a [*a]\n", "an alias stands inside what it stands for"),
        (
            "".join(f"---\na: &a [{'x,' * 100}]\nb: [{'*a,' * 30}]\n" for _ in range(10)),
            "the aliases in this file expand to more than 20,000 values",
        ),
        ("a: 1\n--- !!python/object:os.system {}\n", "the tag `!!python/object:os.system` is not allowed"),
    ],
    ids=["many", "deep", "cycle", "bombs", "tag"],
)
def test_the_limits_hold_for_all_documents_together(text: str, problem: str) -> None:
    findings = Findings("a.yaml")

    read_yaml(text.encode(), findings)

    assert [found.message for found in findings.problems] == [problem]
