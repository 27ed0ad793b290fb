"""Snapshots as files: written where the database is, read where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from taskcfg.errors import InvalidSnapshot, WrongEnvironment
from taskcfg.reconcile.snapshot import Snapshot, read_snapshot
from taskcfg.source.replacing import replace_file


def save_snapshot(document: dict[str, Any], file: Path) -> None:
    """Write a snapshot's document to *file*, whole or not at all. Raises OSError."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        replace_file(file, f"{text}\n".encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def load_snapshot(file: Path, source: str, environment: str | None) -> Snapshot:
    """Return the snapshot of *source* that was written to *file*.

    Raises InvalidSnapshot, and WrongEnvironment for one of another *environment*.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidSnapshot(str(file), "it is no text") from error
    except OSError as error:
        raise InvalidSnapshot(str(file), (error.strerror or str(error)).lower()) from error
    snapshot = read_snapshot(text, str(file))
    if snapshot.source != source:
        raise InvalidSnapshot(
            str(file), f"it is of source `{snapshot.source}`, and these files are of source `{source}`"
        )
    if snapshot.environment not in (None, environment):
        raise WrongEnvironment(f"the snapshot {file}", str(snapshot.environment), environment)
    return snapshot
