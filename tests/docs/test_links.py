"""Every link and every path in the documents leads somewhere."""

import importlib
import re

import pytest

from pages import DOCS, ROOT, anchors, code_words, documents, fenced, without_blocks
from taskcfg_cli.main import ALIASES, COMMANDS

PATH = re.compile(r"(?:engine|cli|migrations|tests|docs|examples|benchmarks)/[\w./-]*")
MODULE = re.compile(r"(?:taskcfg|taskcfg_cli|taskcfg_migrations)(?:\.\w+)+")
FILE_NAMES = ("taskcfg.toml", "taskcfg.db", "taskcfg.service")
"""What looks like a module's attribute and is a file of the user's."""


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", documents())
def test_links_lead_to_a_file_and_to_a_heading_in_it(document: str) -> None:
    here = ROOT / document
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(document))):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        file = here.parent / target if target else here
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("document", documents())
def test_paths_of_ours_are_there(document: str) -> None:
    named = {word for word in code_words(text_of(document)) if PATH.fullmatch(word)}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", documents())
def test_modules_and_names_of_ours_are_there(document: str) -> None:
    named = {found for word in code_words(text_of(document)) if (found := MODULE.fullmatch(word))}
    words = sorted(found.group() for found in named if found.group() not in FILE_NAMES)

    assert [word for word in words if not exists(word)] == []


def exists(dotted: str) -> bool:
    """Say whether *dotted* is a module, or a name in one, or an entry-point group or logger of that name."""
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            return False
    return True


@pytest.mark.parametrize("document", documents())
def test_commands_of_ours_are_there(document: str) -> None:
    text = text_of(document)
    lines = [*code_words(text), *(line for _, code in fenced(text) for line in code.splitlines())]
    said = {found[1] for line in lines if (found := re.match(r"(?:\$ )?taskcfg ([a-z]+)\b", line.strip()))}

    assert sorted(said - {*COMMANDS, *ALIASES}) == []


def test_readme_leads_to_every_page_and_every_example() -> None:
    linked = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text_of("README.md"))}
    pages = {f"docs/{path.name}" for path in DOCS.glob("*.md")}
    shown = {f"examples/{path.parent.name}/README.md" for path in ROOT.glob("examples/*/README.md")}

    assert sorted((pages | shown) - linked) == []
