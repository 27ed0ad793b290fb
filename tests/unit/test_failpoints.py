"""Failpoints: nothing without the variable, and exactly what it says with it."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from pages import ROOT
from taskcfg.errors import InvalidSettings
from taskcfg.failpoints import FAILPOINTS, FailpointReached, Rule, failpoint, parse_rules

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
    assert parse_rules("gate.before_start=exit@3,gate.after_start=pause:0.5, gate.before_body=error,") == {
        "gate.before_start": Rule("exit", nth=3),
        "gate.after_start": Rule("pause", seconds=0.5),
        "gate.before_body": Rule("error"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=die",
        "=exit@x",
        "=exit@0",
        "=exit@-1",
        "=exit:3",
        "=pause:long",
        "=pause:-1",
        "=pause:nan",
        "=pause:inf",
    ],
)
def test_a_rule_that_is_none_is_refused(text):
    with pytest.raises(InvalidSettings, match="TASKCFG_FAILPOINTS"):
        parse_rules(f"gate.before_start{text}")


def test_a_rule_without_a_name_is_refused():
    with pytest.raises(InvalidSettings, match="is not NAME=exit"):
        parse_rules("=exit")


def test_a_name_that_is_no_failpoint_is_refused_with_the_nearest_that_is():
    with pytest.raises(InvalidSettings, match=r"no failpoint `gate\.before_end`") as caught:
        parse_rules("gate.before_end=exit")

    assert caught.value.hint == "did you mean `gate.before_body`?"


def test_the_list_of_failpoints_holds_those_in_the_code_and_no_other():
    called = Counter(
        name
        for path in (ROOT / "engine" / "taskcfg").rglob("*.py")
        for name in re.findall(r'\bfailpoint\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    )

    assert called.keys() == FAILPOINTS.keys()
