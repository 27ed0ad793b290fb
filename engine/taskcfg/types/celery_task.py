"""The type `celery`: fires a Celery task that exists already, with its own message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from taskcfg.settings import Settings
from taskcfg.spec.fires import celery_task_name
from taskcfg.spec.policy import Delivery, OverlapMode, Policy
from taskcfg.spec.secrets import secret_names
from taskcfg.spec.task import TaskSpec
from taskcfg.types.declare import Misfit, task_type
from taskcfg.types.params import Params

OURS = celery_task_name("")
"""What the names of taskcfg's own Celery tasks begin with."""

INTERNAL = "celery."
"""What the names of Celery's own tasks begin with: no gate stands before those."""


class CeleryParams(Params):
    """Which Celery task to fire, and with what."""

    task: str = Field(
        min_length=1, max_length=255, description="The Celery task's name", examples=["myapp.tasks.send"]
    )
    args: list[Any] = Field(default_factory=list, description="Its arguments by position")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="Its arguments by name")
    gate: bool = Field(
        default=True, description="false: its workers run without taskcfg, and only publishing is recorded"
    )

    @model_serializer(mode="wrap")
    def _without_default_gate(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A gate is what everybody has: only its absence is stored."""
        stored: dict[str, Any] = serialize(self)
        if self.gate:
            stored.pop("gate", None)
        return stored


def check(spec: TaskSpec, settings: Settings | None) -> Iterator[Misfit]:
    """Yield what cannot work: names that are not the user's, what needs the gate, a task or arguments
    that the app of the setting `celery_app` does not know."""
    name, gated = spec.params["task"], spec.params.get("gate", True)
    if name.startswith(OURS):
        type_name = name.removeprefix(OURS)
        yield Misfit(
            ("params", "task"), f"`{name}` is taskcfg's own", f"write `type: {type_name}` with its params"
        )
    elif name.startswith(INTERNAL) and gated:
        yield Misfit(
            ("params", "task"), f"`{name}` is Celery's own, and runs without a gate", "add `gate: false`"
        )
    elif settings is not None and settings.celery_app is not None:
        from taskcfg.types.celery_fit import misfits_with_app

        yield from misfits_with_app(spec.params, settings.celery_app, settings.project_root)
    if not gated:
        yield from _ungated(spec.policy, spec.params)


def _ungated(policy: Policy, params: Mapping[str, Any]) -> Iterator[Misfit]:
    """Yield what nobody can keep where only publishing is recorded."""
    if policy.overlap.mode is not OverlapMode.ALLOW or policy.overlap.limit is not None:
        yield Misfit(
            ("overlap",),
            "with `gate: false` nobody learns when a fire has ended",
            "write `overlap: allow`",
        )
    if policy.retry.attempts > 1:
        yield Misfit(
            ("retry", "attempts"),
            "with `gate: false` nobody learns that a fire has failed",
            "let the Celery task retry by itself, for instance with `autoretry_for`",
        )
    if policy.delivery is Delivery.AT_MOST_ONCE:
        yield Misfit(
            ("delivery",),
            "with `gate: false` a message that arrives twice also runs twice",
            "use `at_least_once`, and let the task bear it",
        )
    if secret_names(dict(params)):
        yield Misfit(
            ("params",),
            "with `gate: false` nobody resolves a secret",
            "let the Celery task read it by itself",
        )


@task_type("celery", check=check)
def celery(params: CeleryParams) -> None:
    """Fire a Celery task of your own, by its name."""
    raise NotImplementedError(f"the message of `{params.task}` goes to Celery directly")
