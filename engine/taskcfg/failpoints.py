"""Named places in the code where a test can make the process die, an error happen, or time pass.

`TASKCFG_FAILPOINTS` holds rules, separated by commas: `NAME=ACTION` or `NAME=ACTION@N`, such as
`relay.after_publish=exit@3,gate.before_finish=pause:5`. Actions: `exit` ends the process at once,
as `kill -9` does, with code 137; `error` raises FailpointReached; `pause:SECONDS` waits. With
`@N` only the N-th time this process comes by counts, from 1; without, every time. A pool process
of a worker starts counting where its parent stood when it was forked. The variable is read once,
when this module is imported; without it a failpoint does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from taskcfg.clock import SystemClock
from taskcfg.errors import InvalidSettings

VARIABLE = "TASKCFG_FAILPOINTS"
KILLED = 137


class FailpointReached(Exception):
    """A failpoint with the action `error` was passed."""


@dataclass(slots=True)
class Rule:
    """What happens at one failpoint; `hits` counts how often it was passed."""

    action: str
    seconds: float = 0.0
    nth: int | None = None
    hits: int = 0

    def act(self, name: str) -> None:
        self.hits += 1
        if self.nth is not None and self.hits != self.nth:
            return
        match self.action:
            case "exit":
                os._exit(KILLED)
            case "pause":
                SystemClock().sleep(self.seconds)
            case _:
                raise FailpointReached(name)


def parse_rules(text: str) -> dict[str, Rule]:
    """Return the rules in *text* by failpoint. Raises InvalidSettings."""
    return dict(_parse_rule(item.strip()) for item in text.split(",") if item.strip())


def _parse_rule(text: str) -> tuple[str, Rule]:
    name, _, rest = text.partition("=")
    action, _, nth = rest.partition("@")
    action, _, argument = action.partition(":")
    try:
        if not name or action not in ("exit", "error", "pause") or (argument and action != "pause"):
            raise ValueError
        return name, Rule(action, float(argument or 0), int(nth) if nth else None)
    except ValueError:
        raise InvalidSettings(
            f"{VARIABLE}: `{text}` is not NAME=exit, NAME=error or NAME=pause:SECONDS, @N or not"
        ) from None


_rules: Mapping[str, Rule] = parse_rules(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Do what `TASKCFG_FAILPOINTS` says for *name*; nothing, unless it says something."""
    rule = _rules.get(name)
    if rule is not None:
        rule.act(name)
