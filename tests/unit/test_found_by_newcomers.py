"""Mistakes that passed validation once, each refused now with a reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr

from taskcfg.dispatch.reach import check_broker_url
from taskcfg.errors import InvalidSettings, InvalidType
from taskcfg.settings import load_settings
from taskcfg.spec.fields import InvalidValue, queue
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.store.database import open_database
from taskcfg.types import Fire, Params, task_type
from taskcfg.types.declare import TaskType


class Secret(Params):
    """Dumps stars."""

    word: SecretStr


class Hidden(Params):
    """Dumps nothing."""

    number: int = Field(1, exclude=True)


def work(params: Params, fire: Fire) -> None:
    """Do nothing."""


@pytest.mark.parametrize(("model", "params"), [(Secret, {"word": "hunter2"}), (Hidden, {"number": 5})])
def test_params_that_would_reach_the_task_changed_are_refused(
    model: type[Params], params: dict[str, Any]
) -> None:
    kind = TaskType("odd", work, model, "Odd.", "here")

    with pytest.raises(ValueError, match="does not read back what it writes"):
        kind.canonical_params(params)


def test_a_generator_is_no_body() -> None:
    def generate(params: Hidden) -> Iterator[int]:
        yield 1

    with pytest.raises(InvalidType, match="expected a plain function"):
        task_type("generates")(generate)


@pytest.mark.parametrize(
    "environ",
    [{"TASKCFG_WORKER_LEASE": "1s"}, {"TASKCFG_SCHEDULER_LEASE": "0s"}],
)
def test_leases_that_would_declare_the_living_dead_are_refused(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings, match="must be at least"):
        load_settings(environ=environ, folder=tmp_path)


@pytest.mark.parametrize("name", ["a\nb", "amq.direct"])
def test_a_queue_name_that_brokers_refuse_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be a queue's name"):
        queue(name)


def test_a_cron_step_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InvalidCron, match="at most 1000"):
        read_cron(f"*/{'9' * 5000} * * * *")


@pytest.mark.parametrize("url", ["postgresql://app@host:abc/x", "postgresql://u:p@[::1/x"])
def test_a_database_url_that_cannot_be_read_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(InvalidSettings, match="database_url is not a URL"):
        open_database(url, role="test")


@pytest.mark.parametrize("url", ["amqp://u:p@[bad", "kafka://x"])
def test_a_broker_url_that_cannot_be_read_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(InvalidSettings, match="broker_url"):
        check_broker_url(url)
