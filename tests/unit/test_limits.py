"""What is kept of results, errors and tracebacks: little, storable, and honest about what was cut."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.dispatch.exposure import Exposure
from taskcfg.dispatch.outcome import describe, formatted, kept
from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.spec.limits import DEEPEST, LONGEST, SEARCHED, storable, storable_result
from taskcfg.spec.task import canonical_json

MB = 1024 * 1024


@contextmanager
def at_most(bytes_: int) -> Iterator[None]:
    """No more memory than this is taken at once."""
    tracemalloc.start()
    try:
        yield
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken <= bytes_


class Mean:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class TestText:
    """Errors, tracebacks and reasons."""

    def test_what_is_too_long_says_how_long_it_was(self):
        text = storable("x" * 70_000)

        assert len(text) == LONGEST
        assert text.endswith("xx… [cut: 70,000 characters in all]")

    def test_of_a_traceback_the_end_is_kept(self):
        text = storable("x" * 70_000 + "end", keep_end=True)

        assert len(text) == LONGEST
        assert text.startswith("[cut: 70,003 characters in all] …xx")
        assert text.endswith("xxend")

    def test_what_is_just_long_enough_is_whole(self):
        assert storable("x" * LONGEST) == "x" * LONGEST

    def test_nothing_stays_nothing(self):
        assert storable(None) is None

    def test_nul_and_half_characters_are_replaced(self):
        assert storable("a\0b\ud800c") == "a\ufffdb\ufffdc"

    @given(st.integers(0, 400), st.integers(0, 300), st.booleans())
    def test_what_is_cut_again_says_what_it_said_first(
        self, length: int, longest: int, keep_end: bool
    ) -> None:
        once = storable("x" * length, longest=longest, keep_end=keep_end)

        assert len(once) <= longest
        assert storable(once, longest=longest, keep_end=keep_end) == once
        if longest > 60 and length > longest:
            again = storable(once, longest=longest - 10, keep_end=keep_end)
            assert f"[cut: {length:,} characters in all]" in again

    def test_of_a_giant_only_what_is_kept_is_copied(self):
        giant = "x" * (64 * MB)

        with at_most(2 * MB):
            storable(giant)
            storable(giant, keep_end=True)


plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4),
    max_leaves=20,
)
any_values = st.recursive(
    st.none() | st.floats() | st.text(st.characters()) | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(st.integers(), inner),
    max_leaves=20,
)


class TestResults:
    """What a task returns."""

    @given(json_values)
    def test_json_of_bearable_size_is_kept_as_it_is(self, value: Any) -> None:
        assert storable_result(value) == value

    @given(any_values)
    def test_whatever_it_is_the_database_can_hold_it(self, value: Any) -> None:
        text = canonical_json(storable_result(value))

        text.encode()
        assert "\\u0000" not in text

    @pytest.mark.parametrize(
        "value",
        [{1, 2}, set(), frozenset({3}), frozenset(), (object,), (b"x", 1j), {"a": float("nan")},
         [float("inf")], {1: 1, "a": ()}, b"bytes", {"a": {"b": {4j}}}],
        ids=repr,
    )  # fmt: skip
    def test_what_is_no_json_is_its_repr(self, value: Any) -> None:
        assert storable_result(value) == repr(value)

    def test_json_that_is_too_long_is_text_that_says_so(self):
        text = storable_result({"rows": ["x" * 10] * 10_000})

        assert len(text) == LONGEST
        assert text.startswith('{"rows":["xxxxxxxxxx","xxxxxxxxxx"')
        assert text.endswith("… [cut: more than 65,536 characters]")

    def test_text_that_is_too_long_says_how_long_it_was(self):
        assert storable_result("x" * 100_000).endswith("… [cut: 100,000 characters in all]")

    @pytest.mark.parametrize(
        "giant",
        [[object()] * 4_000_000, "x" * (24 * MB), bytes(24 * MB), {"a": "x" * (24 * MB), "b": object()},
         [["x" * 1000] * 1000] * 10_000, list(range(1_000_000)), dict.fromkeys(range(200_000), 1j)],
        ids=["objects", "text", "bytes", "text in a dict", "lists in a list", "numbers", "a dict"],
    )  # fmt: skip
    def test_of_a_giant_only_what_is_kept_is_built(self, giant: Any) -> None:
        with at_most(8 * MB):
            text = storable_result(giant)

        assert len(text) == LONGEST
        assert "[cut: more than" in text or "characters in all]" in text

    @pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError])
    def test_a_repr_that_raises_says_what(self, error: type[Exception]) -> None:
        assert storable_result([Mean(error)]) == f"[<Mean whose repr raises {error.__name__}>]"

    def test_what_is_nested_too_deep_ends_somewhere(self):
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]

        text = storable_result(deep)

        assert text == "[" * DEEPEST + "…" + "]" * DEEPEST
        while deep:  # else Python itself runs out of stack when it is thrown away
            deep = deep[0]

    def test_what_contains_itself_ends_somewhere(self):
        ring: list[Any] = [1]
        ring += [ring, ring]

        assert storable_result(ring).startswith("[1,[1,[1,")

    def test_a_number_too_long_to_be_written_is_no_error(self):
        assert storable_result(10**10_000) == "<int whose repr raises ValueError>"


class Loud(Exception):
    """An error with a message of any size."""


class TestErrors:
    """What the gate makes of an exception."""

    def test_a_giant_message_is_not_copied_about(self):
        error = Loud("x" * (64 * MB))

        with at_most(24 * MB):
            outcome = kept(Outcome(ExecutionState.FAILED, error=describe(error), traceback=formatted(error)))

        assert outcome.error.startswith("Loud: xxx")
        assert outcome.error.endswith("… [cut: 67,108,864 characters in all]")
        assert outcome.traceback.startswith("[cut: ")
        assert len(outcome.error) == len(outcome.traceback) == LONGEST

    def test_nor_is_that_of_its_cause_or_of_one_in_a_group(self):
        cause, member = Loud("x" * (64 * MB)), Loud("x" * (64 * MB))
        error = ExceptionGroup("several", [member])
        error.__cause__ = cause

        with at_most(24 * MB):
            text = formatted(error)

        assert "several" in text

    def test_an_error_of_ordinary_size_keeps_its_whole_traceback(self):
        try:
            try:
                raise Loud("first")
            except Loud as first:
                raise ValueError("second") from first
        except ValueError as error:
            text = formatted(error)

        assert "The above exception was the direct cause" in text
        assert text.endswith("ValueError: second\n")


class TestSecretsInWhatIsLong:
    """A secret that a cut goes through is not shown in part."""

    SECRET = "correct-horse-battery-staple"

    @pytest.fixture
    def exposure(self) -> Exposure:
        exposure = Exposure({"KEY": self.SECRET}.__getitem__)
        exposure.resolved("${secret:KEY}")
        return exposure

    @pytest.mark.parametrize("cut", [LONGEST, SEARCHED])
    @pytest.mark.parametrize("keep_end", [False, True])
    @pytest.mark.parametrize("fill", ["x", "secrets"])
    def test_it_is_hidden_wherever_the_cut_goes(
        self, exposure: Exposure, cut: int, keep_end: bool, fill: str
    ) -> None:
        filler = "x" if fill == "x" else self.SECRET
        for offset in range(0, 200, 7):
            long = filler * ((cut - offset) // len(filler))
            text = f"xx{self.SECRET}{long}" if keep_end else f"{long}{self.SECRET}xx"
            text = f"{'x' * SEARCHED}{text}" if keep_end else f"{text}{'x' * SEARCHED}"
            outcome = Outcome(ExecutionState.FAILED, error=text, traceback=text)

            masked = kept(exposure.masked_outcome(outcome))

            shown = masked.traceback if keep_end else masked.error
            assert not any(self.SECRET[at : at + 6] in shown for at in range(len(self.SECRET) - 5))
