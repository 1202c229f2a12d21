"""The fenced blocks and the commands of the project's Markdown pages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "echo_engine"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/protocol/*.md"),
        *ROOT.glob("contracts/*.md"),
    ],
    key=lambda path: path.as_posix(),
)
_BLOCK = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", re.M | re.S)
_SHELLS = ("sh", "shell", "bash", "console")


class Block(NamedTuple):
    """One fenced block: ```LANGUAGE MARK, and what is between the fences."""

    language: str
    mark: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """The page's blocks, or those in some languages, in their order."""
    found = [Block(*match.groups()) for match in _BLOCK.finditer(page.read_text("utf-8"))]
    return [block for block in found if not languages or block.language in languages]


def commands(page: Path) -> list[list[str]]:
    """Every command line in shell blocks and inline code, split into words.

    Comments, prompts, variables before the command and what follows a pipe, `&&` or `>` are
    taken off; in a `console` block only lines with a prompt count.
    """
    lines: list[str] = []
    for block in blocks(page, *_SHELLS):
        for line in block.text.replace("\\\n", " ").splitlines():
            if block.language != "console":
                lines.append(line)
            elif line.startswith("$ "):
                lines.append(line[2:])
    prose = _BLOCK.sub("", page.read_text("utf-8"))
    lines += re.findall(r"`((?:infera|python3?|\.venv/bin/\S+) [^`]+)`", prose)
    found = []
    for line in lines:
        for part in re.split(r"&&|\||;|>", line):
            words = shlex.split(part.replace("…", "").replace("'", ""), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                found.append([words[0].removeprefix(".venv/bin/"), *words[1:]])
    return found
