"""Writing a file whole, or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

NEW = 0o644
"""The mode of a file that was not there."""


def replace_file(file: Path, content: bytes) -> None:
    """Replace what is in *file*, or write it anew, at once; it keeps its mode, its owner and its links.

    What is no regular file, such as a device or a pipe, is written to and stays what it is. Raises
    OSError, the file being as it was.
    """
    target = Path(os.path.realpath(file))
    status = target.stat() if target.exists() else None
    if status is not None and not stat.S_ISREG(status.st_mode):
        target.write_bytes(content)
        return
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(0, "it is read-only")
    # Hidden, so that nobody who reads the folder meanwhile takes it for a task file.
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            if status is not None and os.geteuid() == 0:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, NEW if status is None else stat.S_IMODE(status.st_mode))
            stream.flush()
            os.fsync(descriptor)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
