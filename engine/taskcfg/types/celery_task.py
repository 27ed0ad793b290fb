"""The type `celery`: fires a Celery task that exists already, with its own message."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from taskcfg.types.declare import task_type
from taskcfg.types.params import Params


class CeleryParams(Params):
    """Which Celery task to fire, and with what."""

    task: str = Field(min_length=1, max_length=255)
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    gate: bool = Field(default=True, exclude=True)

    @field_validator("gate")
    @classmethod
    def _only_gated(cls, gate: bool) -> bool:
        if not gate:
            raise PydanticCustomError("later", "`false` is not supported by this version of taskcfg")
        return gate


@task_type("celery")
def celery(params: CeleryParams) -> None:
    """Fire a Celery task of your own, by its name."""
    raise NotImplementedError(f"the message of `{params.task}` goes to Celery directly")
