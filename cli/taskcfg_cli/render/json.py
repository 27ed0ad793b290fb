"""JSON on stdout: one document, and nothing else."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


def print_json(document: Any) -> None:
    """Print *document* on stdout, indented when a person is looking."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = json.dumps(
        document,
        indent=2 if sys.stdout.isatty() else None,
        ensure_ascii=not encoding.startswith("utf"),
        allow_nan=False,
    )
    click.echo(text)
