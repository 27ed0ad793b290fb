"""No masked text holds a secret, in whatever form text usually holds it."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taskcfg.spec.masking import Mask

FORMS = {
    "as it is": str,
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda text: repr(text.encode()),
    "repr in a list": lambda text: repr([text, "it's"]),
    "repr of a repr": lambda text: repr(repr(text)),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps({"inner": json.dumps({"token": text})}),
    "JSON in a repr": lambda text: repr([json.dumps(text)]),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded path": quote,
    "percent-encoded form": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic authorisation": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "amid other text": lambda text: f"<{text}>",
}
KEY = "-----BEGIN KEY-----\nMIIEvQ+/IBADAN\nBgkqhkiG9w0==\n-----END KEY-----\n"

secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=12) | st.text(
    "aA1 '\"\\/+%*\n\té😀", min_size=4, max_size=8
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "secret",
    [
        "hunter2x",
        "p@ss w/rd+&=?",
        'it\'s "q"',
        "C:\\new\\\\x",
        "Grüße, 😀!",
        "tab\tline\nend",
        KEY,
        "x" * 300,
    ],
)
def test_a_secret_is_hidden_in_each_form(form: str, secret: str) -> None:
    shown = FORMS[form](secret)

    masked = Mask([secret]).text(shown)

    assert "***" in masked
    for part in (secret, shown, *(line for line in secret.splitlines() if len(line) > 3)):
        assert part not in masked


@given(st.lists(secrets, min_size=1, max_size=3), st.data())
def test_no_masked_text_holds_a_secret(hidden: list[str], data: st.DataObject) -> None:
    pieces = st.sampled_from(hidden) | st.text(max_size=4) | st.sampled_from(["*", "**", hidden[0][1:]])
    text = "".join(data.draw(st.lists(pieces, max_size=6)))

    masked = Mask(hidden).text(text)

    assert [secret for secret in hidden if secret in masked] == []
    assert Mask(hidden).text(masked) == masked


@given(secrets, st.sampled_from(sorted(FORMS)))
def test_no_form_of_a_secret_survives(secret: str, form: str) -> None:
    shown = FORMS[form](secret)
    assume(len(secret.strip("*")) > 0)

    masked = Mask([secret]).text(f"a {shown} b")

    assert shown not in masked
    assert secret not in masked


@given(st.text(st.characters(exclude_characters="QZU"), max_size=30), st.text("QZ", min_size=20, max_size=20))
def test_text_without_a_secret_stays_as_it_is(text: str, secret: str) -> None:
    assert Mask([secret]).text(text) == text
    assert Mask().text(text) == text


def test_what_a_percent_encoded_secret_means_is_hidden_too() -> None:
    login = base64.b64encode(b"me:p@ss/word").decode()

    assert Mask(["p%40ss%2Fword"]).text(f"p@ss/word p%40ss%2Fword {login}").count("***") == 3


def test_secrets_that_overlap_are_hidden_together() -> None:
    assert Mask(["abcd", "cdefgh"]).text("<abcdefgh>") == "<***>"


def test_each_line_of_a_secret_of_several_lines_is_hidden_by_itself() -> None:
    assert Mask([KEY]).text("key MIIEvQ+/IBADAN of -----BEGIN KEY-----") == "key *** of ***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("pin 42.", "pin ***."),
        ("id 1423 and x42", "id 1423 and x42"),
        ('{"pin": "42"}', '{"pin": "***"}'),
        ("", ""),
    ],
)
def test_a_very_short_secret_is_hidden_only_as_a_word(text: str, masked: str) -> None:
    assert Mask(["42"]).text(text) == masked


def test_a_result_is_masked_at_any_depth_and_keeps_its_shape() -> None:
    class Reply:
        def __repr__(self) -> str:
            return "<Reply hunter2x>"

    value: dict[Any, Any] = {"hunter2x": ["a hunter2x", ("b", 7, None, True)], "n": 1.5, "o": Reply()}

    masked = Mask(["hunter2x", "1.50001", "12345"]).value(value)

    assert masked == {"***": ["a ***", ("b", 7, None, True)], "n": 1.5, "o": "<Reply ***>"}
    assert Mask(["12345"]).value({"id": 12345}) == {"id": "***"}
    assert Mask(["12345"]).value(object) is object
    assert not Mask([""])


def test_a_result_that_contains_itself_ends() -> None:
    value: list[Any] = ["hunter2x"]
    value.append(value)

    assert "hunter2x" not in repr(Mask(["hunter2x"]).value(value))
