"""The secrets of one attempt: put into its arguments, and kept out of all that it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from taskcfg.dispatch.outcome import describe, formatted, is_large
from taskcfg.spec.fires import Outcome
from taskcfg.spec.limits import foreshortened, without_edge
from taskcfg.spec.masking import Mask
from taskcfg.spec.secrets import with_secrets

LookUp = Callable[[str], str]
"""Returns the secret of a name, or raises SecretUnavailable."""


class FailedWithSecrets(RuntimeError):
    """Stands for an error whose text, cause or traceback shows a secret: its type and masked message."""


class Exposure:
    """The secrets that one attempt has been given; `mask` hides them."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._values: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self.mask = Mask()

    def resolved(self, value: Any) -> Any:
        """Return *value* with its references resolved, each name once. Raises SecretUnavailable."""
        resolved = with_secrets(value, self._value)
        self.mask = Mask(self._values.values())
        self._remember(value, resolved)
        return resolved

    def unresolved(self, value: Any) -> Any:
        """Return *value* with the strings that `resolved` gave replaced by what they were made from."""
        if isinstance(value, str):
            return self._references.get(value, value)
        if isinstance(value, dict):
            return {key: self.unresolved(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self.unresolved(item) for item in value])
        return value

    def masked_outcome(self, outcome: Outcome) -> Outcome:
        """Return *outcome* without the secrets."""
        if not self.mask:
            return outcome
        return replace(
            outcome,
            result=self.mask.value(outcome.result),
            error=outcome.error and self._searched(outcome.error),
            traceback=outcome.traceback and self._searched(outcome.traceback, keep_end=True),
        )

    def _searched(self, text: str, *, keep_end: bool = False) -> str:
        shortened = foreshortened(text, keep_end=keep_end)
        return without_edge(self.mask.text(shortened), keep_end=keep_end)

    def masked_error(self, error: BaseException) -> BaseException:
        """Return *error* itself if it shows no secret, else one that tells Celery the same without them."""
        if not self.mask or not self._shows(error):
            return error
        masked: BaseException = self._without_secrets(error)
        return masked

    def _without_secrets(self, error: BaseException) -> Any:
        match error:
            case Retry():
                cause = FailedWithSecrets(self.mask.text(describe(error.exc))) if error.exc else None
                return Retry(error.message and self.mask.text(str(error.message)), cause, error.when)
            case Reject():
                return Reject(self.mask.text(str(error.reason)), requeue=error.requeue)
            case Ignore() | SoftTimeLimitExceeded():
                return type(error)(self.mask.text(str(error)))
            case SystemExit():
                return SystemExit(self.mask.value(error.code))
            case Exception():
                return FailedWithSecrets(self.mask.text(describe(error))).with_traceback(error.__traceback__)
            case _:
                return type(error)()

    def _shows(self, error: BaseException) -> bool:
        if is_large(error):
            return True  # too long to be searched
        try:
            told = "\n".join(
                [formatted(error), describe(error), repr(error), repr(error.args), repr(vars(error))]
            )
        except Exception:  # noqa: BLE001 what cannot even be shown is not handed on
            return True
        return self.mask.text(told) != told

    def _value(self, name: str) -> str:
        if name not in self._values:
            self._values[name] = self._look_up(name)
        return self._values[name]

    def _remember(self, value: Any, resolved: Any) -> None:
        if isinstance(value, str):
            if value != resolved:
                self._references[resolved] = value
        elif isinstance(value, dict):
            for key, item in value.items():
                self._remember(item, resolved[key])
        elif isinstance(value, list | tuple):
            for item, made in zip(value, resolved, strict=True):
                self._remember(item, made)
