"""Hiding the values of secrets in text and results, in every form in which text usually holds them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"

SHORTEST = 4
"""Characters from which on a secret is hidden wherever it stands; a shorter one as a whole word."""

_MOST_ESCAPES = 16
"""How many backslashes stand for one: text in JSON in a `repr` in JSON. Without a bound, a long run of
them in some text would take for ever."""

_SHORTEST_CORE = 5
"""Characters of base64 that are no coincidence."""


class Mask:
    """Replaces each of some secrets by `***`: as it is, line by line, and escaped or encoded.

    It knows the escapes of JSON and of Python's `repr`, also one in the other, percent-encoding (and
    what a percent-encoded secret means) and base64. A secret of less than 4 characters is hidden
    only where it stands as a word. Empty ones are not. No masked text holds a longer secret.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._long: list[re.Pattern[str]] = []
        self._short: list[re.Pattern[str]] = []
        for part in sorted({part for secret in secrets for part in _parts(secret)}):
            if len(part) >= SHORTEST:
                self._long.append(re.compile("|".join([_escaped(part), *_encoded(part)])))
            elif part.strip("*"):
                self._short.append(re.compile(rf"(?<!\w){re.escape(part)}(?!\w)"))

    def __bool__(self) -> bool:
        return bool(self._long or self._short)

    def text(self, text: str) -> str:
        """Return *text* with `***` in the place of every secret."""
        for pattern in self._short:
            text = pattern.sub(HIDDEN, text)
        # What stands left and right of a replaced one can be a secret together with it.
        while spans := sorted(found.span() for pattern in self._long for found in pattern.finditer(text)):
            text = _covered(text, spans)
        return text

    def value(self, value: Any) -> Any:
        """Return the result *value*, masked; what holds no secret as it is, what is no JSON as its `repr`."""
        if not self or value is None or isinstance(value, bool):
            return value
        try:
            return self._masked(value)
        except RecursionError:
            return HIDDEN

    def _masked(self, value: Any) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return self.text(value)
            case dict():
                return {self._masked(key): self._masked(item) for key, item in value.items()}
            case list():
                return [self._masked(item) for item in value]
            case tuple():
                return tuple(self._masked(item) for item in value)
            case _:
                return self._by_repr(value)

    def _by_repr(self, value: Any) -> Any:
        try:
            shown = repr(value)
        except Exception:  # noqa: BLE001 a result's own repr may raise anything; then nobody can show it
            return value
        masked = self.text(shown)
        return value if masked == shown else masked


def _parts(secret: str) -> set[str]:
    """Return what is to be hidden of *secret*: the whole, and of several lines each that says anything.

    One that is percent-encoded, for a URL, is decoded by whoever connects.
    """
    wholes = {secret, secret.strip(), unquote(secret)}
    lines = {line.strip() for line in secret.splitlines()}
    return {part for part in wholes if part} | {line for line in lines if len(line) >= SHORTEST}


def _covered(text: str, spans: list[tuple[int, int]]) -> str:
    kept, end = [], 0
    for start, stop in spans:
        if start >= end:
            kept += [text[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


def _escaped(secret: str) -> str:
    """Return a pattern for *secret* as it is and in each mixture of its characters' escapes."""
    pieces = []
    for run in re.findall(r"\\+|[^\\]", secret):
        if run[0] == "\\":
            pieces.append(rf"(?:\\|%5[Cc]){{{len(run)},{len(run) * _MOST_ESCAPES}}}")
        elif run.isascii() and run.isalnum():
            pieces.append(run)
        else:
            after_backslash = bool(pieces) and pieces[-1].startswith(r"(?:\\|")
            pieces.append(_any_form(run, "" if after_backslash else rf"\\{{0,{_MOST_ESCAPES}}}"))
    return "".join(pieces)


def _any_form(character: str, backslashes: str) -> str:
    """Return a pattern for *character*, after any *backslashes*, and for each of its escapes."""
    code = ord(character)
    utf8 = character.encode("utf-8", "surrogatepass")
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    escape = rf"\\{{1,{_MOST_ESCAPES}}}"
    escapes = [
        "".join(rf"{escape}x{byte:02x}" for byte in utf8),
        "".join(f"%{byte:02x}" for byte in utf8),
        "".join(rf"{escape}u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4)),
        rf"{escape}u{code:08x}",
    ]
    if code < 256:
        escapes.append(rf"{escape}x{code:02x}")
    if code < 32:
        escapes.append(rf"{escape}{json.dumps(character)[2:-1]}")
    if character == " ":
        escapes.append(r"\+")
    literal = backslashes + re.escape(character)
    return f"(?:{literal}|(?i:{'|'.join(escapes)}))"


def _encoded(secret: str) -> list[str]:
    """Return patterns for *secret* in base64, also amid other bytes that are encoded with it."""
    data = secret.encode("utf-8", "surrogatepass")
    cores = set()
    for ahead in range(3):
        encoded = b64encode(bytes(ahead) + data).decode().rstrip("=")
        whole = len(data) + ahead
        core = encoded[(0, 2, 3)[ahead] : whole * 8 // 6]
        if len(core) >= _SHORTEST_CORE:
            cores.add(core)
    return [_in_any_alphabet(core) + r"[\w+/-]?={0,2}" for core in sorted(cores)]


def _in_any_alphabet(core: str) -> str:
    """Return a pattern for *core* in the base64 of files and in that of URLs."""
    return re.sub(r"[+/]", lambda found: "[-+]" if found[0] == "+" else "[_/]", core)
