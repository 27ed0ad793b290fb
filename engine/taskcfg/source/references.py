"""References in the text of task files: `${env:NAME}` is resolved here, `${secret:NAME}` only named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Severity
from taskcfg.spec.secrets import NAME as SECRET_NAME
from taskcfg.spec.secrets import literal
from taskcfg.spec.shown import shown

if TYPE_CHECKING:
    from taskcfg.source.findings import Findings

LONGEST = 8 * 1024 * 1024
"""Characters that references may put into what is read at once, together."""

_PARTS = re.compile(
    r"\$\$|\$\{(?P<kind>env|secret):(?P<body>(?:[^{}$]|\$(?!\{))*)(?P<end>\})?|\$\{(?P<other>[^{}$]*)\}"
)
_ENV = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)
_SECRET = re.compile(SECRET_NAME, re.ASCII)
_SHELLS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::?[-=?+].*)?", re.ASCII | re.DOTALL)
_NEARLY = re.compile(r"\s*(?:env|environ|environment|secret|secrets|var|vars)\s*[.:].*", re.I | re.DOTALL)
_HIDDEN_ANYWHERE = 4
"""Shorter values are hidden only where they are quoted whole: they are parts of many words."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The `tag` of a scalar that held references; its value is the stored form, as params keep it.

    `written` is what the file says, `text` what a field outside params reads, `variables` those
    whose values were put in. A `broken` one holds a reference that could not be resolved, which is
    reported already: what else is wrong with the text is no news.
    """

    written: str
    text: str
    variables: tuple[str, ...] = ()
    has_secret: bool = False
    broken: bool = False


@dataclass(slots=True)
class _Parts:
    """What the text of one scalar is put together from: literal texts, and references to secrets."""

    literals: list[list[str]] = field(default_factory=lambda: [[]])
    secrets: list[str] = field(default_factory=list)
    variables: dict[str, None] = field(default_factory=dict)
    broken: bool = False

    def add(self, text: str) -> None:
        self.literals[-1].append(text)

    def add_secret(self, reference: str) -> None:
        self.secrets.append(reference)
        self.literals.append([])

    def report(self, node: ScalarNode, message: str, hint: str | None, findings: Findings) -> None:
        self.broken = True
        findings.add(node, message, hint=hint)

    def resolved(self, written: str) -> tuple[str, Resolved]:
        """Return the stored form and the tag."""
        texts = ["".join(parts) for parts in self.literals]
        stored, plain = [], []
        for text, secret in zip_longest(texts, self.secrets, fillvalue=""):
            # A `$` right before a secret would escape the reference: there two are one.
            dollars = len(text) - len(text.rstrip("$")) if secret else 0
            stored += [literal(text), "$" * dollars, secret]
            plain += [text, secret]
        tag = Resolved(written, "".join(plain), tuple(self.variables), bool(self.secrets), self.broken)
        return "".join(stored), tag


class References:
    """Resolves the references of what is read at once, with the variables of *environment*.

    `used` are the variables asked for and their values, None where there was none; `asked` their names,
    each as often as it was asked for.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.used: dict[str, str | None] = {}
        self.asked: list[str] = []
        self.found_secrets = False
        self._environment = environment
        self._put_in = 0

    def resolve(self, root: Node, findings: Findings) -> None:
        """Replace every reference in the values of *root* and below; report those that are none."""
        for node, is_key in _scalars(root, set()):
            if "$" not in node.value:
                continue
            if is_key:
                self._check_key(node, findings)
            elif not isinstance(node.tag, Resolved):
                self._resolve_scalar(node, findings)

    def hidden(self, message: str, place: object) -> str:
        """Return *message* without the values that came from the environment."""
        if isinstance(place, ScalarNode) and isinstance(place.tag, Resolved) and place.tag.variables:
            for text in (shown(place.value), shown(place.tag.text)):
                message = message.replace(text, shown(place.tag.written))
        for name, value in self.used.items():
            fits = value is not None and _HIDDEN_ANYWHERE <= len(value) <= len(message)
            if value is not None and fits and value.lower() in message.lower():
                message = re.sub(re.escape(value), f"${{env:{name}}}", message, flags=re.IGNORECASE)
        return message

    def _check_key(self, key: ScalarNode, findings: Findings) -> None:
        text = key.tag.written if isinstance(key.tag, Resolved) else key.value
        if any(found["kind"] for found in _PARTS.finditer(text)):
            findings.add(key, "a reference cannot stand in a key", hint="write the key itself")

    def _resolve_scalar(self, node: ScalarNode, findings: Findings) -> None:
        text: str = node.value
        parts, end = _Parts(), 0
        for found in _PARTS.finditer(text):
            parts.add(text[end : found.start()])
            end = found.end()
            match found["kind"]:
                case "env":
                    self._add_variable(found, node, parts, findings)
                case "secret":
                    self._add_secret(found, node, parts, findings)
                case _ if found["other"] is None:
                    parts.add("$")
                case _:
                    parts.add(found[0])
                    _warn_of_another_dialect(found["other"], node, findings)
        parts.add(text[end:])
        stored, resolved = parts.resolved(text)
        node.value = stored
        # Without anything resolved it is text as it stands.
        changed = resolved.text != text or resolved.has_secret or resolved.broken
        tag: Any = resolved if changed else (False, True)
        node.tag = tag if end else node.tag

    def _add_variable(
        self, found: re.Match[str], node: ScalarNode, parts: _Parts, findings: Findings
    ) -> None:
        wanted = _ENV.fullmatch(found["body"]) if found["end"] else None
        if wanted is None:
            message, hint = _malformed(found, "an environment variable's name", "`${env:NAME}`")
            parts.report(node, message, hint, findings)
            return
        name, default = wanted.groups()
        self.asked.append(name)
        if name not in self.used:
            self.used[name] = self._environment.get(name)
        value = self.used[name]
        if not value and default is not None:
            parts.add(default.replace("$$", "$"))
        elif value is None:
            hint = f"set it, or give a default: `${{env:{name}:-…}}`"
            parts.report(node, f"the environment variable `{name}` is not set", hint, findings)
        else:
            self._put_in_value(name, value, node, parts, findings)

    def _put_in_value(
        self, name: str, value: str, node: ScalarNode, parts: _Parts, findings: Findings
    ) -> None:
        self._put_in += len(value)
        problem = None
        if self._put_in > LONGEST:
            problem = f"references put in more than {LONGEST // 1024**2} MB"
        elif not _is_storable(value):
            problem = f"the environment variable `{name}` is not in UTF-8"
        if problem:
            parts.report(node, problem, None, findings)
            return
        parts.variables[name] = None
        parts.add(value)

    def _add_secret(self, found: re.Match[str], node: ScalarNode, parts: _Parts, findings: Findings) -> None:
        name, default, _ = found["body"].partition(":-")
        if found["end"] and default and _SECRET.fullmatch(name):
            parts.report(node, "a secret has no default", f"write `${{secret:{name}}}`", findings)
        elif not found["end"] or not _SECRET.fullmatch(found["body"]):
            message, hint = _malformed(found, "a secret's name", "`${secret:NAME}`")
            parts.report(node, message, hint, findings)
        else:
            self.found_secrets = True
            parts.add_secret(found[0])


def escaped(text: str, *, before_reference: bool = False) -> str:
    """Return what a file must say for *text*, in which nothing is a reference.

    *before_reference*: a reference follows it, so that a `$` at its end must be escaped too.
    """
    following = r"\$(?=[${]|\Z)" if before_reference else r"\$(?=[${])"
    return re.sub(following, "$$", text)


def secrets_in(node: Node) -> Iterator[ScalarNode]:
    """Yield the values in *node* and below that refer to secrets."""
    for scalar, is_key in _scalars(node, set()):
        if not is_key and isinstance(scalar.tag, Resolved) and scalar.tag.has_secret:
            yield scalar


def _scalars(node: Node, seen: set[int]) -> Iterator[tuple[ScalarNode, bool]]:
    """Yield the scalars in *node* and below, each once, with whether it is a key."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        yield node, False
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield key, True
            yield from _scalars(value, seen)
    else:
        for item in node.value:
            yield from _scalars(item, seen)


def _is_storable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _malformed(found: re.Match[str], expected: str, form: str) -> tuple[str, str]:
    """Return message and hint for what begins like a reference and is none."""
    text, after = found[0], found.string[found.end() : found.end() + 1]
    if not found["end"] and after == "$":
        return f"{shown(text + '$…')}: references cannot be nested", f"write {form}"
    if not found["end"]:
        return (
            f"{shown(text)}: the reference is not closed",
            f"write {form}, or `$${text[1:6]}…` for the text",
        )
    if not found["body"]:
        return f"{shown(text)} names nothing", f"write {form}"
    return f"{shown(text)} does not hold {expected}", f"write {form}"


def _warn_of_another_dialect(body: str, node: ScalarNode, findings: Findings) -> None:
    """`${FOO}` stays as it is: it may be meant for somebody else. Mostly it is not."""
    shell = _SHELLS.fullmatch(body)
    if not shell and not _NEARLY.fullmatch(body):
        return
    hint = "references are `${env:NAME}`, `${env:NAME:-default}` and `${secret:NAME}`"
    if shell:
        hint = f"did you mean `${{env:{shell[1]}}}`? As text it is `$${{{body}}}`"
    message = f"`${{{body}}}` is no reference: it stays as it is"
    findings.add(node, message, hint=hint, severity=Severity.WARNING)
