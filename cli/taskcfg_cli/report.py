"""Turns an exception into what a person, or a program, reads, and into an exit code."""

from __future__ import annotations

import errno
import logging
import sys
import traceback
from collections.abc import Sequence
from io import StringIO
from typing import Any

import click

from taskcfg.control.documents import problem_document
from taskcfg.errors import InvalidTaskFiles, TaskcfgError
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode, exit_code_of
from taskcfg_cli.logs import start_logging
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import printable

INTERNAL = "internal error"


def report(error: Exception, invocation: Invocation, arguments: Sequence[str]) -> int:
    """Show *error* where it belongs (stderr, or stdout as JSON where that was asked for)."""
    document, code = _described(error, invocation)
    try:
        if invocation.as_json or _asks_for_json(arguments):
            print_json({"errored": True, "error": document})
        elif invocation.talks_json:
            _log(document)
        else:
            _print(error, document, color=invocation.terminal_color)
        sys.stdout.flush()
    except BrokenPipeError:
        return ExitCode.ERROR
    if invocation.debug and not isinstance(error, TaskcfgError | click.ClickException):
        traceback.print_exception(error)
    return code


def report_interruption(invocation: Invocation, arguments: Sequence[str]) -> int:
    """Say in JSON, where that was asked for, that nothing more comes; people know what they pressed."""
    if invocation.as_json or _asks_for_json(arguments):
        print_json(
            {"errored": True, "error": {"code": "interrupted", "message": "interrupted", "hint": None}}
        )
    return ExitCode.INTERRUPTED


def _described(error: Exception, invocation: Invocation) -> tuple[dict[str, Any], int]:
    if isinstance(error, TaskcfgError):
        document: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        if isinstance(error, InvalidTaskFiles):
            document["problems"] = [problem_document(problem) for problem in error.problems]
        return document, exit_code_of(error.code)
    if isinstance(error, click.UsageError):
        hint = f"try `{error.ctx.command_path} --help`" if error.ctx else None
        return {"code": "usage", "message": error.format_message(), "hint": hint}, ExitCode.USAGE
    if isinstance(error, click.ClickException):
        return {"code": "error", "message": error.format_message(), "hint": None}, ExitCode.ERROR
    if isinstance(error, OSError):
        return {"code": "error", "message": _os_message(error), "hint": _os_hint(error)}, ExitCode.ERROR
    if isinstance(error, UnicodeEncodeError) and any(map(_undecodable, sys.argv)):
        words = ", ".join(ascii(word) for word in sys.argv if _undecodable(word))
        return {"code": "usage", "message": f"not UTF-8: {words}", "hint": None}, ExitCode.USAGE
    message = f"{INTERNAL}: {type(error).__name__}: {error}"
    hint = (
        "please report" if invocation.debug else "run with --log-level debug for the traceback, please report"
    )
    return {"code": "internal_error", "message": " ".join(message.split()), "hint": hint}, ExitCode.ERROR


def _os_message(error: OSError) -> str:
    """Return what the system said, and of which file."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said


def _os_hint(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space"
    return "check its permissions" if isinstance(error, PermissionError) else None


def _undecodable(word: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in word)


def _print(error: Exception, document: dict[str, Any], *, color: bool | None) -> None:
    if isinstance(error, click.ClickException):
        said = StringIO()
        error.show(file=said)
        click.echo(printable(said.getvalue()), nl=False, err=True)
        return
    if document["code"] == "internal_error":
        click.echo(printable(f"{document['message']}; {document['hint']}"), err=True, color=color)
        return
    if isinstance(error, InvalidTaskFiles):
        for problem in error.problems:
            click.echo(printable(problem.text()), err=True)
    click.echo(click.style("error: ", fg="red") + printable(document["message"]), err=True, color=color)
    if document["hint"]:
        click.echo(f"    {printable(document['hint'])}", err=True)


def _log(document: dict[str, Any]) -> None:
    """Say it as the last line of a log that a program reads."""
    start_logging("error", "json")
    logging.getLogger("taskcfg.command").error(
        "command.failed code=%s error=%r hint=%r", document["code"], document["message"], document["hint"]
    )


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """For mistakes that click finds before it has read the format."""
    words = " ".join(arguments).replace("=", " ")
    return any(f"{flag} json" in words for flag in ("--format", "-o")) or "-ojson" in words
