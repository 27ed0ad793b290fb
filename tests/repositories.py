"""Real git repositories for tests, which know nothing of this machine's own settings of git."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def git_in(folder: Path, author: str = "A") -> Callable[..., str]:
    """Return `git` in *folder*, which gives back what it said and fails as it does; *author* commits."""
    identity = ("-c", f"user.name={author}", "-c", f"user.email={author.lower()}@example.org")

    def git(*args: str) -> str:
        done = subprocess.run(
            ["git", *identity, *args],
            cwd=folder,
            env={**os.environ, **ALONE},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    return git
