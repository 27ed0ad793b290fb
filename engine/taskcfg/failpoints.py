"""Named places in the code where a test can make the process die, an error happen, or time pass.

`TASKCFG_FAILPOINTS` holds rules, separated by commas: `NAME=ACTION` or `NAME=ACTION@N`, such as
`relay.after_publish=exit@3,gate.before_finish=pause:5`. Actions: `exit` ends the process at once,
as `kill -9` does, with code 137; `error` raises FailpointReached; `pause:SECONDS` waits. With
`@N` only the N-th time this process comes by counts, from 1; without, every time. A pool process
of a worker starts counting where its parent stood when it was forked. The variable is read once,
when this module is imported; without it a failpoint does nothing. A name that is none of
`FAILPOINTS` is an error.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from taskcfg.clock import SystemClock
from taskcfg.errors import InvalidSettings

VARIABLE = "TASKCFG_FAILPOINTS"
KILLED = 137
LONGEST_PAUSE = 86_400.0

SCHEDULER_FAILPOINTS: Mapping[str, str] = {
    "membership.before_register": "the scheduler starts, and has no row yet",
    "membership.before_renew": "the scheduler's lease is to be renewed",
    "membership.after_renew": "the scheduler's lease is renewed",
    "firing.after_claim": "due rows are locked, nothing is decided",
    "scheduling.after_decide": "it is decided what fires, nothing is written",
    "recording.before_events": "the same, inside the savepoint that all is written under",
    "recording.after_events": "the fires are inserted, their rows have not advanced",
    "recording.after_rows": "the rows have advanced too",
    "firing.before_commit": "all of the pass is written, not committed",
    "firing.after_commit": "the pass is committed, and its fires are not offered to the relay",
    "scheduling.after_offer": "the fires are in the relay's memory",
    "relay.before_publish": "a batch has left the relay's memory, nothing is sent",
    "wire.mid_batch": "one message of a batch is sent",
    "wire.before_answers": "the whole batch is sent, and the broker's answer is not read",
    "relay.after_publish": "the broker has answered for the batch",
    "relay.before_record": "the answers are known, and are to be written down",
    "outbox.before_recorded": "the answers are written down, not committed",
    "relay.after_record": "the fires are published, and known to be",
    "reaper.before_close": "the reaper looks for attempts that nobody will end",
    "reaper.before_expire": "the reaper looks for fires whose time is over",
    "reaper.after_expire": "these are expired, not committed",
    "reaper.before_unclaimed": "the reaper looks for published fires that nobody started",
    "reaper.after_unclaimed": "these are to be published again, not committed",
    "reaper.before_stranded": "the reaper looks for retries that lie with a dead worker",
}
"""Every scheduler that fires something passes these, on any database and any broker."""

STOPPING_FAILPOINTS: Mapping[str, str] = {
    "membership.before_end": "a scheduler that stops is to sign off",
    "boot.before_end": "a worker that stops is to sign off",
}
"""Who is told to stop passes these."""

RECOVERY_FAILPOINTS: Mapping[str, str] = {
    "outbox.before_claimed": "what nobody living owns has a new owner, not committed",
    "relay.after_claim": "the same, committed, and not in the relay's memory",
    "reaper.after_close": "one attempt of many whose worker died, or is silent, is settled",
    "reaper.after_stranded": "a retry that lay with a dead worker is dispatched anew, not committed",
    "interrupt.before_ask": "a cancelled fire runs, and its worker is to be asked to stop it",
    "interrupt.after_ask": "its worker was asked",
}
"""A scheduler passes these where others died, fires were asked for by hand, or somebody cancelled."""

WORKER_FAILPOINTS: Mapping[str, str] = {
    "boot.before_beat": "a worker's row is to be written or renewed",
    "gate.before_start": "a message has arrived, nothing is written",
    "starting.after_execution": "the attempt is inserted, its fire does not know",
    "starting.before_commit": "its fire knows too, not committed",
    "gate.after_start": "the attempt is recorded as running",
    "gate.before_body": "secrets are resolved, and the body is called",
    "gate.before_finish": "the body is over, nothing is written",
    "closing.after_execution": "the attempt is closed, its fire is not",
    "closing.before_commit": "its fire is settled too, not committed",
    "gate.after_finish": "the attempt is closed, and the message not acknowledged",
}
"""A worker passes these for every fire; `closing.…` a scheduler too, whose reaper closes an attempt."""

LOSS_FAILPOINTS: Mapping[str, str] = {
    "boot.before_conclude": "a pool process died, and the worker's parent is to write it down",
}
"""A worker passes these when one of its pool processes dies."""

COMMAND_FAILPOINTS: Mapping[str, str] = {
    "apply.before_materialise": "the plan is made, nothing is written",
    "apply.after_materialise": "what is due under the old schedules is recorded, no task has changed",
    "apply.before_commit": "all of the plan is written, not committed",
    "apply.after_commit": "the plan is carried out, and nobody was told",
    "pause.before_commit": "the pause is written, not committed",
    "resume.before_commit": "what a pause kept from firing is settled, not committed",
    "run.before_commit": "a fire that was asked for is recorded, not committed",
    "retry.before_commit": "an ended fire is pending again, not committed",
    "cancel.after_cancelled": "what does not run is cancelled, what runs is not marked",
    "cancel.before_commit": "what runs is marked too, not committed",
    "purge.after_executions": "the executions of old fires are deleted, the fires are not",
    "purge.after_batch": "one batch of old fires is gone",
}
"""Commands pass these, and a scheduler that watches files, ends a pause, or purges."""

GIT_FAILPOINTS: Mapping[str, str] = {
    "git.before_fetch": "the host has told its commit, nothing is fetched",
    "git.after_fetch": "the commit is in the copy under `.taskcfg/git`, nothing is read",
    "git.before_read": "a folder is made for the commit's files, and empty",
    "git.after_read": "the commit's files are read out, nothing is applied",
    "sync.taken": "somebody's wish for a sync is taken, nothing is fetched",
}
"""A scheduler that pulls from git passes these, and `sync` where it does that itself."""

LIFE_FAILPOINTS: Mapping[str, str] = {
    "loop.before_step": "a loop is to do its step; an error here ends the loop, which nothing else does",
}
"""Each loop of a scheduler passes these."""

FAILPOINTS: Mapping[str, str] = {
    **LIFE_FAILPOINTS,
    **SCHEDULER_FAILPOINTS,
    **STOPPING_FAILPOINTS,
    **RECOVERY_FAILPOINTS,
    **WORKER_FAILPOINTS,
    **LOSS_FAILPOINTS,
    **COMMAND_FAILPOINTS,
    **GIT_FAILPOINTS,
}
"""Every failpoint there is, with what stands and what does not when it is passed."""


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
    if name and name not in FAILPOINTS:
        raise InvalidSettings(f"{VARIABLE}: there is no failpoint `{name}`", hint=_near(name))
    try:
        if not name or action not in ("exit", "error", "pause") or (argument and action != "pause"):
            raise ValueError
        rule = Rule(action, float(argument or 0), int(nth) if nth else None)
        if not 0 <= rule.seconds <= LONGEST_PAUSE or (rule.nth is not None and rule.nth < 1):
            raise ValueError
    except ValueError:
        raise InvalidSettings(
            f"{VARIABLE}: `{text}` is not NAME=exit, NAME=error or NAME=pause:SECONDS, with @N from @1 on"
            " or without"
        ) from None
    return name, rule


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, FAILPOINTS, n=1)
    return f"did you mean `{near[0]}`?" if near else "taskcfg.failpoints lists them all"


_rules: Mapping[str, Rule] = parse_rules(os.environ.get(VARIABLE, ""))


def wanted_in(room: str) -> bool:
    """Say whether something is to happen at a failpoint of *room*, the part of its name before the dot.

    What goes past them by a shorter way takes the longer one then.
    """
    return any(name.partition(".")[0] == room for name in _rules)


def failpoint(name: str) -> None:
    """Do what `TASKCFG_FAILPOINTS` says for *name*; nothing, unless it says something."""
    rule = _rules.get(name)
    if rule is not None:
        rule.act(name)
