"""A call in a thread of its own, for what may wait for an answer that never comes."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Aside:
    """Runs *call* beside this thread, which goes on hearing signals, and may leave it behind."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ended_within(self, seconds: float) -> bool:
        """Wait at most so long, and say whether it has ended. Raises what the call raised."""
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 raised again by `ended_within`
            self._error = error
