"""Whoever asks a broker's file for messages, and whatever became of others: the highest priority comes
first, and of one priority the first that was put."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brokers import Broker, Brokers
from taskcfg.transport.sqlite_queue import Outgoing

CONSUMERS = 2
who = st.integers(0, CONSUMERS - 1)


@dataclass(frozen=True, order=True)
class Waiting:
    """A message in the model: `order` sorts by what is to come first."""

    order: tuple[int, int]
    body: str


class Priorities(RuleBasedStateMachine):
    """Puts, takes, acknowledges and gives back; the model is a sorted list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.brokers = Brokers(Path(self.folder) / "broker.db")
        self.consumers: list[Broker] = [self.brokers() for _ in range(CONSUMERS)]
        self.waiting: set[Waiting] = set()
        self.held: list[dict[int, Waiting]] = [{} for _ in range(CONSUMERS)]
        self.put_so_far = 0

    def teardown(self) -> None:
        self.brokers.close()
        shutil.rmtree(self.folder)

    @rule(priorities=st.lists(st.integers(0, 9), min_size=1, max_size=5), publisher=who)
    def put(self, priorities: list[int], publisher: int) -> None:
        batch = []
        for priority in priorities:
            self.put_so_far += 1
            body = f"{self.put_so_far}"
            self.waiting.add(Waiting((-priority, self.put_so_far), body))
            batch.append(Outgoing("work", body, priority))
        self.consumers[publisher].queue.put(batch)

    @rule(consumer=who, limit=st.integers(1, 4))
    def take(self, consumer: int, limit: int) -> None:
        expected = sorted(self.waiting)[:limit]

        taken = self.consumers[consumer].consumer.take(["work"], limit)

        assert [delivery.body for delivery in taken] == [each.body for each in expected]
        for delivery, each in zip(taken, expected, strict=True):
            self.held[consumer][delivery.receipt] = each
            self.waiting.remove(each)

    @precondition(lambda self: any(self.held))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        consumer, receipt = self._one(data)
        self.consumers[consumer].consumer.ack(receipt)
        del self.held[consumer][receipt]

    @precondition(lambda self: any(self.held))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        consumer, receipt = self._one(data)
        self.consumers[consumer].consumer.restore([receipt])
        self.waiting.add(self.held[consumer].pop(receipt))

    @rule(consumer=who)
    def leave(self, consumer: int) -> None:
        self.consumers[consumer].consumer.leave()
        self.waiting |= set(self.held[consumer].values())
        self.held[consumer] = {}

    @invariant()
    def what_waits_is_counted(self) -> None:
        assert self.consumers[0].queue.size("work") == len(self.waiting)

    def _one(self, data: st.DataObject) -> tuple[int, int]:
        held = [(number, receipt) for number, each in enumerate(self.held) for receipt in each]
        return data.draw(st.sampled_from(held))


Priorities.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPriorities = Priorities.TestCase
