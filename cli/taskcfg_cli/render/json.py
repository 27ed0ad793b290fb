"""JSON on stdout: one document, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import click


def print_json(document: Any, *, readable: bool = False) -> None:
    """Print *document* on stdout, indented when a person is looking, or it is to be *readable* anyway."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = json.dumps(
        document,
        indent=2 if readable or sys.stdout.isatty() else None,
        ensure_ascii=not encoding.startswith("utf"),
        allow_nan=False,
    )
    click.echo(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


_OBEYED = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON may hold as it is and a terminal would obey."""
