"""Importing a user's module, and saying what is wrong with it."""

from __future__ import annotations

from pathlib import Path


def place(error: BaseException, root: Path | None) -> str:
    """Return `file:line` of where a module's import broke: the last line that is not the import system's."""
    file, line = "?", 0
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno or 0
    else:
        frame = error.__traceback__
        while frame is not None:
            if "importlib" not in frame.tb_frame.f_code.co_filename:
                file, line = frame.tb_frame.f_code.co_filename, frame.tb_lineno
            frame = frame.tb_next
    path = Path(file)
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    return f"{path}:{line}"
