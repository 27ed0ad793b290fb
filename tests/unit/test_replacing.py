"""Files are replaced whole; what is no regular file stays what it is."""

import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from taskcfg.source.replacing import replace_file


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)

    replace_file(link, b"after")

    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode), link.is_symlink()) == ("after", 0o640, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()

    replace_file(pipe, b"a schedule")
    reader.join(10)

    assert read == [b"a schedule"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path, b"")
