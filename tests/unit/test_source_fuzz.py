"""Ten thousand broken task files: an answer each time, in bounded work, every problem at a place."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskcfg.problems import Position
from taskcfg.source.loader import load_text
from taskcfg.types.registry import Registry

ROOT = Path(__file__).parents[2]
GOOD = sorted(
    path
    for folder in ("tests/data/good", "examples", "tasks.d")
    for path in (ROOT / folder).rglob("*.y*ml")
    if not path.name.startswith("_")
)
NOW = datetime(2026, 3, 29, tzinfo=UTC)
ENVIRONMENT = {"HOST": "example.org", "PRIORITY": "7", "EMPTY": "", "BAD": "caf\udce9", "LONG": "x" * 5000}
REGISTRY = Registry()
ROUNDS = 20
EACH = 250

PIECES = [
    *("\t", "\0", "\x07", "\xff", "\N{PARTY POPPER}", "\N{BYTE ORDER MARK}", "\u2028", "\r", "\n"),
    *("&a ", "*a", "!!int ", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "? ", "- ", ": ", "#", '"', "'"),
    *("{", "}", "[", "]", ",", "~", "null", "yes", "0644", "1:30", ".inf", "1e999", "9" * 400, "1e22"),
    *("${env:HOST}", "${env:X}", "${env:X:-y}", "${env:BAD}", "${env:", "${secret:X}", "${secret:", "$$"),
    *("${env:LONG}" * 3, "@daily", "0 0 30 2 *", "* * * * * *", "2099-01-01", "x-a: ", "labels: ", "owner: "),
    *("tasks:", "defaults:", "schedule:", "params:", "retry:", "type:", "every:", "at:", "cron:", "[" * 60),
]  # fmt: skip

KEYS = [
    *("type", "schedule", "params", "labels", "owner", "runbook", "retry", "timeout", "overlap", "queue"),
    *("cron", "every", "at", "anchor", "attempts", "delay", "url", "task", "args", "target", "older_than"),
    *("x-mine", "<<", "", "1", "null", "${env:HOST}", "tasks", "defaults", "jitter", "description"),
]  # fmt: skip

VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, float("inf"), "", " ", "x" * 300, "5m", "0 2 * * *", "manual", "http"),
    *("${env:HOST}", "${env:PRIORITY}", "${env:NO:-}", "${secret:S}", "a ${secret:S}$", "$${secret:S}", "${"),
    *([], [[]], [None], {}, {"a": {}}, {"every": "1h"}, {"cron": 5}, {"at": []}, "2026-01-01T00:00:00Z"),
]  # fmt: skip


def check(content: bytes) -> None:
    loaded = load_text(content, REGISTRY, now=NOW, environment=ENVIRONMENT)

    assert loaded.files == 1
    assert len(loaded.specs) <= loaded.tasks
    assert not loaded.valid or len(loaded.specs) == loaded.tasks
    for problem in loaded.problems:
        assert problem.text()
        assert isinstance(problem.position, Position)
        assert problem.position.file == "<stdin>"
        assert problem.position.line >= 1 and problem.position.column >= 1
        assert "x" * 100 not in problem.text()
    for spec in loaded.specs:
        assert len(spec.digest) == 64


def mutated_bytes(content: bytes, chance: random.Random) -> bytes:
    """Return *content* with a few pieces cut, doubled, moved or put in."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(content))
        end = min(len(content), start + chance.randint(0, 30))
        piece = chance.choice(
            [
                chance.choice(PIECES).encode("utf-8", "surrogatepass"),
                chance.randbytes(chance.randint(0, 4)),
                content[start:end],
                b"",
            ]
        )
        content = content[:start] + piece + content[start if chance.random() < 0.5 else end :]
    return content


def mutated_value(value: Any, chance: random.Random) -> Any:
    """Return *value* with about one of its parts replaced, renamed, taken away or put in."""
    if chance.random() < 0.15:
        return chance.choice(VALUES)
    if isinstance(value, dict) and value:
        changed = dict(value)
        key = chance.choice(list(changed))
        match chance.randint(0, 5):
            case 0:
                changed[chance.choice(KEYS)] = changed.pop(key)
            case 1:
                del changed[key]
            case 2:
                changed[chance.choice(KEYS)] = chance.choice(VALUES)
            case _:
                changed[key] = mutated_value(changed[key], chance)
        return changed
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        return [*value[:place], mutated_value(value[place], chance), *value[place + 1 :]]
    return chance.choice(VALUES)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_happens_to_the_bytes_of_a_file(number: int) -> None:
    chance = random.Random(f"bytes {number}")

    for _ in range(EACH):
        check(mutated_bytes(chance.choice(GOOD).read_bytes(), chance))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_happens_to_the_structure_of_a_file(number: int) -> None:
    chance = random.Random(f"structure {number}")
    documents = [
        document
        for path in GOOD
        for document in yaml.load_all(path.read_bytes(), yaml.CBaseLoader)
        if document
    ]

    for _ in range(EACH):
        document = chance.choice(documents)
        for _ in range(chance.randint(1, 4)):
            document = mutated_value(document, chance)
        text = yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True)
        check(text.encode())
