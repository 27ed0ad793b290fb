"""The peers' own virtualenv, `build/peers`: other people's programs, which are no dependency of ours."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from processes import HERE, ROOT

FOLDER = ROOT / "build" / "peers"
PYTHON = str(FOLDER / "bin" / "python")
CELERY = str(FOLDER / "bin" / "celery")
REQUIREMENTS = HERE / "requirements-peers.txt"
_MARK = FOLDER / ".installed"


def install() -> None:
    """Make the virtualenv what requirements-peers.txt says; say what cannot be installed."""
    if _MARK.exists() and _MARK.read_text() == REQUIREMENTS.read_text():
        return
    print("installing the peers into build/peers", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
    if _pip("--requirement", str(REQUIREMENTS)):
        _MARK.write_text(REQUIREMENTS.read_text())
        return
    for line in REQUIREMENTS.read_text().splitlines():
        if line and not line.startswith("#") and not _pip("--no-deps", line):
            print(f"cannot be installed: {line}", file=sys.stderr, flush=True)


def _pip(*arguments: str) -> bool:
    done = subprocess.run(
        [PYTHON, "-m", "pip", "--disable-pip-version-check", "-qq", "install", *arguments], check=False
    )
    return done.returncode == 0


@cache
def missing(*modules: str) -> str | None:
    """Return why a peer that needs *modules* cannot run, or None when it can."""
    if not Path(PYTHON).exists():
        return "the peers are not installed: `make bench` does it, or `python benchmarks --install`"
    program = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run([PYTHON, "-c", program, *modules], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"not installed: {done.stderr.strip().splitlines()[-1]}"
