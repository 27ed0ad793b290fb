"""The command `taskcfg`: finds the command, runs it, and turns what happened into an exit code."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from taskcfg_cli import completion, options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode

COMMANDS = {
    "init": "Write taskcfg.toml and tasks.d/ with a first task, and the schema for editors.",
    "up": "Run everything on this machine: scheduler and worker.",
    "validate": "Check task files, offline; shows all problems at once.",
    "fmt": "Put task files into the canonical layout; comments are kept.",
    "plan": "Show what apply would change.",
    "apply": "Make the database match the task files.",
    "drift": "Show what somebody changed in the database since it was last applied.",
    "revisions": "Show applied plans, the newest first, or one with all it changed.",
    "rollback": "Make the database say what it said after REVISION, for this source.",
    "blame": "Show who set each field of a task: in which commit and revision, and when.",
    "sync": "Fetch and apply now what the schedulers follow.",
    "status": "Show source, schedulers, workers, and what needs attention.",
    "list": "List the tasks.",
    "show": "Show one task, whole.",
    "next": "Show the coming fires.",
    "heatmap": "Show how many fires come in each hour of the week.",
    "explain": "Show where each value of a task comes from, and what it means.",
    "run": "Run tasks now.",
    "pause": "Stop tasks until they are resumed.",
    "resume": "End the pause of tasks.",
    "history": "Show executions: attempts and how they ended.",
    "events": "Show fires and what became of them.",
    "logs": "Show one fire and its attempts: results, errors, tracebacks.",
    "cancel": "Cancel fires: all of these, or none.",
    "retry": "Run fires again that did not succeed: all of these, or none.",
    "purge": "Delete old history: fires that ended, and their executions.",
    "scheduler": "Run the firing process.",
    "worker": "Run a Celery worker with the task types loaded.",
    "types": "List the task types, or describe one with its params.",
    "schema": "Print the JSON Schema of task files, with your own types in it.",
    "export": "Write the live tasks as a task file that plans to no change.",
    "snapshot": "Write what is live, for `plan --against` where no database is.",
    "db": "Upgrade or check the database's schema.",
    "doctor": "Check the set-up, and say what to do.",
}
"""Every command with its short help, so that `--help` need not import them; a test keeps it true."""

RARELY = 50_000
"""New objects between two looks for garbage: a short command makes none, and loses a tenth of its time
looking. What runs until it is stopped goes back to Python's own."""

ALIASES = {"diff": "plan"}
MODULES = {"list": "list_tasks"}
"""Commands whose module cannot bear their name."""


class Commands(click.Group):
    """A group that imports a command's module only when it is that command's turn."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = import_module(f"taskcfg_cli.commands.{MODULES.get(name, name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            ctx.fail(_no_such_command(args[0]))
        return args[0], command, args[1:]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Offer the commands without importing any."""
        if incomplete[:1] in ("-", "/"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _no_such_command(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [*COMMANDS, *ALIASES], n=1)
    return f"No such command '{name}'." + (f" Did you mean '{near[0]}'?" if near else "")


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"taskcfg {version('taskcfg')}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@options.output()
@options.general
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def taskcfg() -> None:
    """Task schedules as code: declared in YAML, planned, applied, and fired through Celery.

    Start with `taskcfg init`, then `taskcfg up`.
    """


def main() -> int:
    """Run the command that the arguments name and return its exit code; no exception gets out."""
    gc.set_threshold(RARELY)
    invocation = Invocation()
    try:
        _prepare_output()
        code = taskcfg.main(sys.argv[1:], prog_name="taskcfg", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
        return code or ExitCode.DONE
    except BrokenPipeError:
        _discard_output()
        return ExitCode.ERROR
    except (KeyboardInterrupt, click.Abort):
        from taskcfg_cli.report import report_interruption

        return report_interruption(invocation, sys.argv[1:])
    except Exception as error:  # noqa: BLE001 the last door: it is shown, never swallowed
        if completion.ASKED in os.environ:  # but not into the line that somebody is typing
            return ExitCode.ERROR
        from taskcfg_cli.report import report

        return report(error, invocation, sys.argv[1:])


def _prepare_output() -> None:
    """A closed stream takes everything and keeps nothing; a name that an encoding lacks is shown escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a complaint at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
