"""What each field of a task takes: plain values in, checked ones out, and what to say otherwise.

The same readers serve task files, a type's own defaults, and whoever else declares a task.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from taskcfg.spec.duration import EXPECTED, duration_text, parse_duration
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, Overlap, OverlapMode, Retry
from taskcfg.spec.shown import shown
from taskcfg.spec.task import LONGEST_NAME
from taskcfg.spec.times.zones import zone_named

MOST_ATTEMPTS = 1000
MOST_ALLOWED = 1000
LONGEST_QUEUE = 255
"""In bytes: what AMQP can carry."""

LONGEST_LINE = 255
"""Characters of an owner and of a label's value."""

LONGEST_RUNBOOK = 10_000
LONGEST_LABEL = 317
"""What Kubernetes takes: a prefix of 253 characters, a slash, and 63."""

MOST_LABELS = 64

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


class InvalidValue(ValueError):
    """A value that a field does not take; `hint` may say what to write instead.

    `key` names the key inside the field that is wrong, where it is not the field as a whole.
    """

    def __init__(self, message: str, hint: str | None = None, *, key: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.key = key


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    hint = None
    if isinstance(value, int | float):
        hint = "put it in quotes"
    raise InvalidValue(f"expected text, found {shown(value)}", hint)


def line(value: Any) -> str:
    """Return *value* if it is text of one line that people can read."""
    found = text(value)
    if not found.strip():
        raise InvalidValue("must not be empty")
    return _short(found)


def _short(found: str) -> str:
    if len(found) > LONGEST_LINE:
        raise InvalidValue(f"is {len(found)} characters long: at most {LONGEST_LINE}")
    if not found.isprintable():
        raise InvalidValue(
            f"expected one line of text, found {shown(found)}", "remove what cannot be printed"
        )
    return found


def runbook(value: Any) -> str:
    found = text(value)
    if len(found) > LONGEST_RUNBOOK:
        raise InvalidValue(
            f"is {len(found)} characters long: at most {LONGEST_RUNBOOK}", "link to it instead"
        )
    return found


def label_key(key: str) -> str:
    """Return *key* if it can name a label, as Kubernetes takes it: `team`, `example.org/tier`."""
    if len(key) <= LONGEST_LABEL and _LABEL.fullmatch(key):
        return key
    raise InvalidValue(
        f"{shown(key)} cannot name a label",
        "a label's name has letters and digits, with `.`, `_`, `-` and `/` inside, such as `team`",
    )


def label_value(value: Any) -> str:
    """Return *value* if a label can hold it: text, perhaps empty."""
    if isinstance(value, bool | int | float):
        raise InvalidValue(f"expected text, found {shown(value)}", "put it in quotes")
    return _short(text(value))


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    word = meant.get(str(value).lower())
    hint = f"write `{word}`: in YAML 1.2 `{value}` is text" if word and isinstance(value, str) else None
    raise InvalidValue(f"expected `true` or `false`, found {shown(value)}", hint)


def whole_number(value: Any, lowest: int, highest: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
        return value
    raise InvalidValue(f"expected a whole number from {lowest} to {highest}, found {shown(value)}")


def duration(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            raise InvalidValue(_sentence(str(error), value), _clock_hint(value)) from None
        raise InvalidValue(f"expected {EXPECTED}, found {shown(value)}") from None


def _sentence(reason: str, value: Any) -> str:
    return reason if reason.startswith("`") else f"{shown(value)}: {reason}"


def _clock_hint(value: Any) -> str | None:
    """Explain `1:30`, which YAML 1.1 reads as the number 90, and people in two ways."""
    first, colon, rest = str(value).partition(":")
    if not (colon and first.isdigit() and rest.isdigit()):
        return None
    return f"write `{int(first)}h{int(rest)}m` or `{int(first)}m{int(rest)}s`, whichever is meant"


def positive_duration(value: Any) -> timedelta:
    found = duration(value)
    if found <= timedelta(0):
        raise InvalidValue("must be longer than 0s")
    return found


def lasting(value: Any) -> timedelta:
    """Return the duration *value* for a worker or a database to wait: they count in seconds."""
    found = positive_duration(value)
    if found < timedelta(seconds=1):
        raise InvalidValue(f"{shown(value)} is shorter than 1s")
    return found


def choice(value: Any, allowed: Collection[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    words = " or ".join(f"`{word}`" for word in allowed)
    raise InvalidValue(f"expected {words}, found {shown(value)}")


def zone(value: Any) -> str:
    name = text(value)
    try:
        return zone_named(name).key
    except ValueError as error:
        raise InvalidValue(str(error), "write an IANA name such as `Europe/Berlin` or `UTC`") from None


def queue(value: Any) -> str:
    name = text(value)
    if not name.strip() or len(name.encode()) > LONGEST_QUEUE:
        raise InvalidValue(f"expected a queue's name of 1 to {LONGEST_QUEUE} bytes, found {shown(name)}")
    if not name.isprintable() or name.startswith("amq."):
        raise InvalidValue(f"{shown(name)} cannot be a queue's name", "brokers keep `amq.` for themselves")
    return name


def overlap(value: Any) -> Overlap:
    """Return what `overlap` says: one of its words, or `{allow: 3}`."""
    if not isinstance(value, Mapping):
        return Overlap(OverlapMode(choice(value, tuple(OverlapMode))))
    if list(value) != ["allow"]:
        words = ", ".join(f"`{key}`" for key in value) or "nothing"
        raise InvalidValue(f"expected only `allow` in the mapping, found {words}", "write `{allow: 3}`")
    try:
        return Overlap(OverlapMode.ALLOW, whole_number(value["allow"], 1, MOST_ALLOWED))
    except InvalidValue as error:
        raise InvalidValue(f"`allow`: {error}", "write `allow` alone where there is no limit") from None


_RETRY: Mapping[str, Callable[[Any], Any]] = {
    "attempts": lambda value: whole_number(value, 1, MOST_ATTEMPTS),
    "delay": duration,
    "backoff": lambda value: Backoff(choice(value, tuple(Backoff))),
    "max_delay": duration,
    "jitter": boolean,
}
RETRY_FIELDS = tuple(_RETRY)


def retry_field(name: str, value: Any) -> Any:
    """Return the value of one of `RETRY_FIELDS`. Raises InvalidValue."""
    return _RETRY[name](value)


def checked_retry(base: Retry, changes: Mapping[str, Any]) -> Retry:
    """Return *base* with checked *changes*. Raises InvalidValue when they do not go together."""
    retry = replace(base, **changes)
    if "delay" in changes and retry.delay > retry.max_delay:
        longest = duration_text(retry.max_delay)
        raise InvalidValue(f"longer than `max_delay` ({longest})", "raise `max_delay` too", key="delay")
    return retry


SCALAR_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "description": text,
    "owner": line,
    "runbook": runbook,
    "enabled": boolean,
    "timezone": zone,
    "queue": queue,
    "priority": lambda value: whole_number(value, 0, 9),
    "timeout": lasting,
    "overlap": overlap,
    "catch_up": lambda value: CatchUp(choice(value, tuple(CatchUp))),
    "catch_up_window": duration,
    "expires": lasting,
    "delivery": lambda value: Delivery(choice(value, tuple(Delivery))),
    "jitter": duration,
    "protect": boolean,
}
"""Fields read on their own; `type`, `schedule`, `params`, `retry` and `labels` have readers of their own."""

TEXT_FIELDS = ("description", "owner", "runbook", "timezone", "queue")
"""Those that are text, also where it spells a number."""

POLICY_FIELDS = (
    "timeout", "overlap", "catch_up", "catch_up_window", "expires", "delivery", "jitter",
)  # fmt: skip
"""Those of them that make up a task's `Policy`."""

LATER_FIELDS = ("expect_success_within",)


def task_name(value: str) -> str:
    """Return *value* as the lasting name of a task, in NFC.

    Raises InvalidValue unless it has letters and digits of any script, with `.`, `_` and `-`
    inside, and is at most 200 characters long.
    """
    if len(value) <= LONGEST_NAME and _PLAIN_NAME.fullmatch(value):
        return value
    name = unicodedata.normalize("NFC", value)
    if len(name) > LONGEST_NAME:
        raise InvalidValue(
            f"a task's name is at most {LONGEST_NAME} characters long, this one has {len(name)}"
        )
    if not name:
        raise InvalidValue("a task's name cannot be empty")
    for place, character in enumerate(name):
        inside = 0 < place < len(name) - 1
        if character.isalnum() or (character in "._-" and inside):
            continue
        # Marks (vowel signs, accents that have no letter of their own) belong to the letter before.
        if unicodedata.category(character).startswith("M") and place:
            continue
        where = "in" if inside or character not in "._-" else "at the start or end of"
        raise InvalidValue(
            f"`{name}`: {_character(character)} cannot stand {where} a task's name",
            "a name has letters and digits, with `.`, `_` and `-` inside",
        )
    return name


def _character(character: str) -> str:
    if character == " ":
        return "a space"
    if character.isprintable():
        return f"`{character}`"
    return f"the character U+{ord(character):04X}"
