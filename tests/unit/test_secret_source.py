"""Where secrets are looked for, which place goes first, and what is no secret."""

import os
from pathlib import Path

import pytest

from taskcfg.dispatch.secret_source import LARGEST, SecretSource
from taskcfg.errors import SecretUnavailable

ENVIRON = {"TOKEN": "from the environment", "EMPTY": "", "api.key-2": "dotted", "BROKEN": "\udcff"}


def source(folder: Path | None = None) -> SecretSource:
    return SecretSource(folder, ENVIRON)


def reason(found: SecretSource, name: str) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        found.look_up(name)
    assert f"secret `{name}`: " in str(caught.value)
    return caught.value.reason


def test_a_variable_of_the_environment_is_a_secret() -> None:
    assert source().look_up("TOKEN") == "from the environment"
    assert source().look_up("api.key-2") == "dotted"


def test_a_file_goes_before_a_variable_of_the_same_name_and_others_come_from_there(tmp_path: Path) -> None:
    (tmp_path / "TOKEN").write_text("from the file\n")

    assert source(tmp_path).look_up("TOKEN") == "from the file"
    assert source(tmp_path).look_up("api.key-2") == "dotted"
    assert source(tmp_path / "missing").look_up("TOKEN") == "from the environment"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"x\n", "x"),
        (b"x\r\n", "x"),
        (b"x\n\n", "x\n"),
        (b" x ", " x "),
        ("ü\n".encode(), "ü"),
        (b"a\nb", "a\nb"),
    ],
)
def test_one_line_break_at_the_end_of_a_file_is_no_part_of_the_secret(
    tmp_path: Path, content: bytes, value: str
) -> None:
    (tmp_path / "TOKEN").write_bytes(content)

    assert source(tmp_path).look_up("TOKEN") == value


def test_a_file_that_is_changed_holds_from_the_next_look_on(tmp_path: Path) -> None:
    """Kubernetes mounts links into a folder that it swaps."""
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "TOKEN").write_text("old")
    (tmp_path / "TOKEN").symlink_to(tmp_path / "..1" / "TOKEN")
    looking = source(tmp_path)
    before = looking.look_up("TOKEN")
    (tmp_path / "..1" / "TOKEN").write_text("new")

    assert (before, looking.look_up("TOKEN")) == ("old", "new")


def test_a_secret_that_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    assert reason(source(), "NONE") == "it is not in the worker's environment, and `secrets_dir` is not set"
    assert reason(source(tmp_path), "NONE") == (
        f"it is not in the folder {tmp_path} nor in the worker's environment"
    )
    assert "(which is not there)" in reason(source(tmp_path / "missing"), "NONE")


@pytest.mark.parametrize(
    "name", ["..", ".", ".hidden", "../TOKEN", "a/b", "/etc/passwd", "a\0b", "", "Ä", "a\n"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "TOKEN").write_text("outside")
    (tmp_path / "inner" / ".hidden").write_text("hidden")

    assert reason(source(tmp_path / "inner"), name) == "no secret can be called so"


def test_what_is_there_and_cannot_be_read_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "TOKEN").mkdir()
    (tmp_path / "EMPTY").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xe4")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")

    assert "cannot be read: it is not a file" in reason(source(tmp_path), "TOKEN")
    assert "cannot be read: it is not a file" in reason(source(tmp_path), "pipe")
    assert reason(source(tmp_path), "EMPTY") == f"it is empty in {tmp_path}"
    assert "is not UTF-8 text" in reason(source(tmp_path), "latin")
    assert "larger than 1 MiB" in reason(source(tmp_path), "large")
    assert "Not a directory" in reason(source(tmp_path / "file"), "TOKEN")
    assert "leads nowhere" in reason(source(tmp_path), "dangling")
    assert reason(source(), "EMPTY") == "it is empty in the worker's environment"
    assert "is not UTF-8 text" in reason(source(), "BROKEN")
