"""References to secrets: which there are, what they become, and how a literal one is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.secrets import literal, secret_names, with_secrets

texts = st.lists(
    st.sampled_from(["$", "$$", "{secret:", "${secret:TOKEN}", "TOKEN", "}", "${env:A}", "é", ""]), max_size=8
).map("".join)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ("${secret:TOKEN}", "<TOKEN>"),
        ("Bearer ${secret:api.token-2}!", "Bearer <api.token-2>!"),
        ("${secret:A}${secret:A}", "<A><A>"),
        ("$${secret:TOKEN}", "${secret:TOKEN}"),
        ("$$${secret:TOKEN}", "$<TOKEN>"),
        ("$$$${secret:TOKEN}", "$${secret:TOKEN}"),
        ("$${secret:", "${secret:"),
        ("${secret:}", "${secret:}"),
        ("${secret:../etc/passwd}", "${secret:../etc/passwd}"),
        ("${secret:.hidden}", "${secret:.hidden}"),
        ("${secret:two words}", "${secret:two words}"),
        ("${secret:Ä}", "${secret:Ä}"),
        ("${env:TOKEN} $TOKEN $$ $", "${env:TOKEN} $TOKEN $$ $"),
    ],
)
def test_a_reference_is_replaced_and_everything_else_is_text(stored: str, meant: str) -> None:
    assert with_secrets(stored, lambda name: f"<{name}>") == meant
    assert bool(secret_names(stored)) == ("<" in meant)


def test_references_are_found_at_any_depth_of_a_value_and_not_in_keys() -> None:
    value = {"a": ["${secret:ONE}", {"${secret:KEY}": "x${secret:TWO}"}], "b": 3, "c": ("${secret:ONE}",)}

    assert secret_names(value) == {"ONE", "TWO"}
    assert with_secrets(value, str.lower) == {
        "a": ["one", {"${secret:KEY}": "xtwo"}], "b": 3, "c": ("one",),
    }  # fmt: skip


def test_what_a_secret_holds_is_not_read_again() -> None:
    assert with_secrets("${secret:A}", lambda _: "${secret:B} $${secret:C}") == "${secret:B} $${secret:C}"


def test_a_secret_that_cannot_be_looked_up_is_the_lookup_s_error() -> None:
    def lookup(name: str) -> str:
        raise LookupError(name)

    with pytest.raises(LookupError, match="TOKEN"):
        with_secrets(["${secret:TOKEN}"], lookup)


@given(values)
def test_exactly_the_names_found_are_looked_up(value: Any) -> None:
    asked = set()

    with_secrets(value, lambda name: asked.add(name) or "")

    assert asked == secret_names(value)


@given(texts)
def test_a_literal_comes_out_as_it_was_written(text: str) -> None:
    stored = literal(text)

    assert secret_names(stored) == frozenset()
    assert with_secrets(stored, lambda name: "never") == text
