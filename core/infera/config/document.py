"""YAML with positions: a small, strict subset that reads the same to people and to programs.

Scalars follow YAML 1.2's core schema (`yes`, `1:30` and dates stay strings); decimal integers may
group digits with `_`. Duplicate keys, aliases, tags and several documents in one file are faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from infera.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

Loc: TypeAlias = tuple[str | int, ...]
"""A path into the document: keys and list indices."""

_REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
_DEPTH = 32


class Reference(str):
    """A scalar of the form `${env:NAME}` or `${file:PATH}`.

    `used` is set by the Secret field that resolves it.
    """

    __slots__ = ("used",)
    used: bool

    def __new__(cls, text: str) -> Reference:
        made = super().__new__(cls, text)
        made.used = False
        return made

    def split_reference(self) -> tuple[str, str]:
        match = _REFERENCE.fullmatch(self)
        assert match is not None
        return match[1], match[2].strip()


@dataclass(slots=True)
class Document:
    """The parsed file.

    Positions count from 1; `keys` point at a mapping's keys, `values` at everything.
    """

    file: str
    text: str
    data: Any = None
    keys: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    values: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self, loc: Loc, message: str, *, at_key: bool = False, got: str = "", hint: str = ""
    ) -> None:
        """Note a fault at `loc`, or at the nearest enclosing thing that the file has."""
        line, column = self.position(loc, at_key=at_key)
        self.problems.append(Problem(self.file, line, column, path_of(loc), message, got, hint))

    def position(self, loc: Loc, *, at_key: bool = False) -> tuple[int, int]:
        if at_key and loc in self.keys:
            return self.keys[loc]
        for length in range(len(loc), -1, -1):
            if loc[:length] in self.values:
                # Something missing is best shown at the key of what should have had it.
                exact = length == len(loc)
                return (
                    self.values[loc]
                    if exact
                    else self.keys.get(loc[:length], self.values[loc[:length]])
                )
        return 1, 1


def path_of(loc: Loc) -> str:
    """`roles[1].price_in`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".") or "(file)"


def read(path: Path) -> Document:
    """Parse a file; faults are in `problems`, and `data` holds what could be understood."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        document = Document(str(path), "")
        document.problem((), f"cannot be read: {error.strerror or error}")
        return document
    try:
        return parse(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        document = Document(str(path), "")
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        document.problems.append(Problem(str(path), line, column, "(file)", "is not UTF-8"))
        return document


def parse(text: str, file: str = "<config>") -> Document:
    """Parse YAML text."""
    document = Document(file, text, values={(): (1, 1)})
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        if node is not None:
            document.data = _build(document, node, (), set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"is not valid YAML: {error.problem or error.context}"
        document.problems.append(Problem(file, line, column, "(file)", message))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"has a character that YAML forbids (U+{ord(text[error.position]):04X})"
        document.problems.append(Problem(file, line, column, "(file)", message))
    except RecursionError:
        document.problem((), "is nested too deeply")
    return document


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - declared so by the base class


_TAGS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+(?:_[0-9]+)*|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
for _tag, (_pattern, _first) in _TAGS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"(?:{_pattern})\Z"),
        ["" if c == "\0" else c for c in _first],
    )


def _build(document: Document, node: yaml.Node, loc: Loc, seen: set[int]) -> Any:
    mark = node.start_mark
    document.values[loc] = (mark.line + 1, mark.column + 1)
    if id(node) in seen:
        document.problem(loc, "repeats another by alias", at_key=True, hint="write the value out")
        return None
    seen.add(id(node))
    if len(loc) > _DEPTH:
        document.problem(loc, "is nested too deeply")
        return None
    if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
        return _mapping(document, node, loc, seen)
    if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
        return [_build(document, child, (*loc, i), seen) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(document, node, loc)
    document.problem(loc, f"has the tag {node.tag}", hint="tags are not supported")
    return None


def _mapping(
    document: Document, node: yaml.MappingNode, loc: Loc, seen: set[int]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode) or not key_node.tag.endswith(":str"):
            what = Problem(document.file, line, column, path_of(loc), "has a key that is no string")
            document.problems.append(what)
            continue
        key = key_node.value
        inner = (*loc, key)
        if key in data:
            first = document.keys[inner][0]
            document.problems.append(
                Problem(
                    document.file,
                    line,
                    column,
                    path_of(inner),
                    "is given twice",
                    "",
                    f"first on line {first}",
                )
            )
            continue
        document.keys[inner] = (line, column)
        data[key] = None
        data[key] = _build(document, value_node, inner, seen)
    return data


def _scalar(document: Document, node: yaml.ScalarNode, loc: Loc) -> Any:
    text: str = node.value
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    try:
        match tag:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text, 16) if text.startswith("0x") else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case "str":
                return Reference(text) if _REFERENCE.fullmatch(text) else text
    except ValueError as error:
        document.problem(loc, f"is not a valid {tag}: {error}")
        return None
    document.problem(loc, f"has the tag {node.tag}", hint="tags are not supported")
    return None
