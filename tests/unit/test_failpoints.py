"""Failpoints: nothing without the variable, and exactly what it says with it."""

import os
import subprocess
import sys

import pytest

from taskcfg.errors import InvalidSettings
from taskcfg.failpoints import FailpointReached, Rule, failpoint, parse_rules

PASS_THREE_TIMES = """
from taskcfg.failpoints import failpoint
for number in range(1, 4):
    print(number, flush=True)
    failpoint("relay.after_publish")
"""


def run(rules: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TASKCFG_FAILPOINTS": rules}
    return subprocess.run(
        [sys.executable, "-c", PASS_THREE_TIMES], env=env, capture_output=True, text=True, check=False
    )


def test_without_rules_a_failpoint_does_nothing():
    failpoint("relay.after_publish")


def test_exit_ends_the_process_at_the_nth_hit_as_a_kill_does():
    done = run("relay.after_publish=exit@2")

    assert (done.returncode, done.stdout, done.stderr) == (137, "1\n2\n", "")


def test_error_raises_where_the_failpoint_is():
    done = run("gate.before_start=pause:0.1, relay.after_publish=error")

    assert done.returncode == 1
    assert done.stderr.strip().endswith("FailpointReached: relay.after_publish")


def test_a_rule_counts_the_hits_of_its_own_name():
    rule = Rule("error", nth=2)
    rule.act("a")

    with pytest.raises(FailpointReached):
        rule.act("a")
    rule.act("a")


def test_rules_are_read_with_their_arguments():
    assert parse_rules("a=exit@3,b=pause:0.5, c=error,") == {
        "a": Rule("exit", nth=3),
        "b": Rule("pause", seconds=0.5),
        "c": Rule("error"),
    }


@pytest.mark.parametrize("text", ["a", "a=die", "a=exit@x", "=exit", "a=pause:long", "a=exit:3"])
def test_a_rule_that_is_none_is_refused(text):
    with pytest.raises(InvalidSettings, match="TASKCFG_FAILPOINTS"):
        parse_rules(text)
