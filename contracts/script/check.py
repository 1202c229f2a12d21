#!/usr/bin/env python3
"""Check the house rules of the contracts that a compiler does not.

- Every revert says before it, in an INVARIANT comment, what it keeps true.
- Every error is raised somewhere and expected by a test.
- Every function that changes state has its own test contract with tests named after it.
- No file outgrows 500 lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parent.parent
LONGEST_FILE = 500

ERROR = re.compile(r"^\s*error (\w+)\(", re.MULTILINE)
FUNCTION = re.compile(r"^    function (\w+)\(([^)]*)\)([^{;]*)[{;]", re.MULTILINE)


def sources(folder: str) -> dict[Path, str]:
    return {
        path: path.read_text(encoding="utf-8")
        for path in sorted((CONTRACTS / folder).rglob("*.sol"))
    }


def unexplained_reverts(path: Path, text: str) -> list[str]:
    lines = text.splitlines()
    return [
        f"{path.relative_to(CONTRACTS)}:{number + 1}: a revert without its INVARIANT"
        for number, line in enumerate(lines)
        if re.match(r"\s*(\}? ?(else )?if .*\) |)revert \w", line)
        and not any("// INVARIANT:" in before for before in lines[max(0, number - 6) : number])
    ]


def state_changing(text: str) -> list[str]:
    return [
        name
        for name, _, modifiers in FUNCTION.findall(text)
        if re.search(r"\b(external|public)\b", modifiers)
        and not re.search(r"\b(view|pure)\b", modifiers)
    ]


def main() -> None:
    source, tests = sources("src"), sources("test")
    all_source, all_tests = "\n".join(source.values()), "\n".join(tests.values())
    problems: list[str] = []
    for path, text in source.items():
        problems += unexplained_reverts(path, text)
        for error in ERROR.findall(text):
            if len(re.findall(rf"\b{error}\(", all_source)) < 2:
                problems.append(f"{error} is never raised")
            if error not in all_tests:
                problems.append(f"{error} is expected by no test")
        if path.parent.name == "src":
            for name in state_changing(text):
                contract = f"{path.stem}_{name[0].upper()}{name[1:]}_Test"
                if not re.search(rf"\bcontract {contract} ", all_tests):
                    problems.append(f"{path.stem}.{name} has no test contract {contract}")
                if not re.search(rf"\bfunction test(Fuzz)?_{name}_", all_tests):
                    problems.append(f"{path.stem}.{name} has no test named after it")
    for path, text in {**source, **tests}.items():
        if text.count("\n") > LONGEST_FILE:
            problems.append(f"{path.relative_to(CONTRACTS)} is longer than {LONGEST_FILE} lines")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(source)} sources and {len(tests)} test files keep the rules")


if __name__ == "__main__":
    main()
