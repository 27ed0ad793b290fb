"""The JSON Schema of task files, where editors look for it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from taskcfg.errors import TaskcfgError
from taskcfg.settings import Settings
from taskcfg.source.replacing import replace_file
from taskcfg.source.schema.task_schema import task_file_schema
from taskcfg.types.registry import Registry, types_of

logger = logging.getLogger("taskcfg.editor")

FILE = "schema.json"


def editor_schema(settings: Settings) -> dict[str, Any]:
    """Return the schema of the project's task files. Raises InvalidType."""
    return task_file_schema(types_of(settings))


def write_schema(settings: Settings, registry: Registry | None = None) -> Path:
    """Write the schema to the project's state folder, unless it is there already; return its path.

    It is replaced in one step. Raises InvalidType, and TaskcfgError when it cannot be written.
    """
    file = settings.state_folder / FILE
    schema = task_file_schema(registry or types_of(settings))
    text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    try:
        if file.is_file() and file.read_bytes() == text.encode():
            return file
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text.encode())
    except OSError as error:
        raise TaskcfgError(f"cannot write {file}: {error.strerror}", hint="check its permissions") from error
    return file


def refresh_schema(settings: Settings, registry: Registry) -> None:
    """Write the schema if that can be done: without it only an editor knows less."""
    try:
        write_schema(settings, registry)
    except TaskcfgError as error:
        logger.debug("schema.not_written reason=%r", error.message)
