"""The documents as tests read them: their text, tables, blocks of code, headings and links."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

from taskcfg_cli.main import COMMANDS, taskcfg

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def documents() -> tuple[str, ...]:
    """Return every Markdown file of the project, by its path from the root."""
    folders = ("docs", "examples", "engine", "cli", "benchmarks", "tests")
    found = [*ROOT.glob("*.md"), *(path for name in folders for path in (ROOT / name).rglob("*.md"))]
    return tuple(sorted(str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts))


def read(name: str) -> str:
    """Return the text of docs/*name*."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code of one *language* in *text*, in order."""
    return [code for found, code in _FENCE.findall(text) if found == language]


def fenced(text: str) -> list[tuple[str, str]]:
    """Return every block of code in *text* with its language."""
    return _FENCE.findall(text)


def examples(text: str) -> list[tuple[str, str]]:
    """Return every command of the console blocks in *text*, in order, with what is shown below it."""
    found = []
    for block in blocks(text, "console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = example.partition("\n")
            found.append((line, shown))
    return found


def pattern(shown: str) -> str:
    """Return a regular expression for *shown*, where `...` stands for anything, also for several lines."""
    return ".*".join(re.escape(part) for part in shown.split("..."))


def without_blocks(text: str) -> str:
    return _FENCE.sub("", text)


def section(text: str, title: str) -> str:
    """Return what stands below the heading *title*, up to the next of its level or above."""
    lines, inside, level, fenced = [], False, 0, False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.fullmatch(r"(#+) (.*)", line)
        if heading and inside and len(heading[1]) <= level:
            break
        if inside:
            lines.append(line)
        elif heading and heading[2] == title:
            inside, level = True, len(heading[1])
    assert inside, f"no heading `{title}`"
    return "\n".join(lines)


def rows(text: str, columns: int) -> list[list[str]]:
    """Return the cells of all table rows in *text* that have that many *columns*, headings too."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if line.startswith("|") and len(cells) == columns and not set(line) <= set("|- "):
            found.append(cells)
    return found


def table(text: str, *headings: str) -> list[list[str]]:
    """Return the rows of the one table in *text* that has these *headings*, without them."""
    wanted = list(headings)
    found: list[list[str]] | None = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if found is None:
            found = [] if cells == wanted else None
        elif not line.startswith("|"):
            break
        elif not set(line) <= set("|- "):
            found.append(cells)
    assert found, f"no table with the headings {wanted}"
    return found


def code_words(text: str) -> list[str]:
    """Return what stands between single backticks in *text*, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def anchors(text: str) -> set[str]:
    """Return the anchors that the headings of *text* give, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words: `plan`, `db upgrade`."""
    for name in COMMANDS:
        command = taskcfg.get_command(click.Context(taskcfg), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())
        else:
            yield name, command


def flags(command: click.Command) -> set[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
