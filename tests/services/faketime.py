"""Clocks that are wrong: libfaketime, laid over a process and its children."""

import importlib.util
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from services.required import Missing

FOLDERS = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib64/faketime")


class FakeTime:
    """The wall clock of every process that is started with `env`; it may be moved while they run.

    It goes on as fast as the true one, *offset* away from it. What measures time that passes (the
    monotonic clock) stays true, so that waits last as long as they should.
    """

    def __init__(self, library: Path, file: Path, offset: timedelta = timedelta(0)) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": str(library),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(file),
        }
        self.shift(offset)

    def shift(self, offset: timedelta) -> None:
        """Set the clock so far ahead of the true time, or behind it. Readers never see half of it."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{offset.total_seconds():+.6f}\n")
        draft.chmod(0o644)
        draft.replace(self._file)


def library() -> Path:
    """Return libfaketime: the one named by `TASKCFG_TEST_FAKETIME`, the system's, or the package's.

    Raises Missing.
    """
    for path in _candidates():
        if path.is_file():
            return path
    raise Missing(
        "no libfaketime: neither the system's nor the one that `make test` builds, for which it needs gcc"
    )


def _candidates() -> Iterator[Path]:
    if given := os.environ.get("TASKCFG_TEST_FAKETIME"):
        yield Path(given)
    yield from (Path(folder) / "libfaketime.so.1" for folder in FOLDERS)
    package = importlib.util.find_spec("libfaketime")  # found, never imported: it would start itself anew
    for folder in (package.submodule_search_locations or []) if package else []:
        yield Path(folder) / "vendor/libfaketime/src/libfaketime.so.1"
