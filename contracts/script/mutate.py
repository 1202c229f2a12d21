#!/usr/bin/env python3
"""Break the contracts in many small ways and see whether the tests notice.

    python3 script/mutate.py                    try a sample of the mutants for 25 minutes
    python3 script/mutate.py --only libraries   only these sources
    python3 script/mutate.py --list             say how many there are
    python3 script/mutate.py --survivors        try again those that survived the last time
    python3 script/mutate.py --write            write the table of the last run into docs/security.md

Mutants come from the compiler's syntax tree: a comparison moved by one or turned around, an operator
exchanged, a statement or modifier left out, a constant off by one, two arguments of one type swapped.
Each is tried against the tests of its contract; what survives those also meets the slow ones. Results
go to snapshots/mutation.json, where each survivor has a reason: why no test can tell, or why none does.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build import CONTRACTS, closure, solc
from workspace import Workspace

RESULTS = CONTRACTS / "snapshots/mutation.json"
DOCS = CONTRACTS.parent / "docs/security.md"
BEGIN, END = "<!-- mutation: written by contracts/script/mutate.py -->", "<!-- /mutation -->"


@dataclass(frozen=True)
class Group:
    """Sources that are tested together, the tests that touch them, and slower tests."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    slow: tuple[str, ...]


GROUPS = (
    Group(
        (
            "src/PaymentVault.sol",
            "src/PaymentVaultBooks.sol",
            "src/libraries/Grants.sol",
            "src/libraries/Hold.sol",
            "src/libraries/Pricing.sol",
            "src/libraries/Merkle.sol",
        ),
        ("test/unit/PaymentVault.*", "test/court/PaymentVault.*", "test/fuzz/*", "test/attacks/*"),
        ("test/invariant/PaymentVault.*",),
    ),
    Group(
        (
            "src/StakeRegistry.sol",
            "src/stake/StakeRules.sol",
            "src/stake/StakePrice.sol",
            "src/stake/Claims.sol",
            "src/stake/Offences.sol",
            "src/stake/SlaRegistry.sol",
        ),
        ("test/unit/StakeRegistry.*", "test/stake/S*.t.sol"),
        ("test/invariant/StakeRegistry.*", "test/unit/Governed.*", "test/unit/PaymentVault.*"),
    ),
    Group(
        ("src/JobRegistry.sol",),
        ("test/unit/JobRegistry.*", "test/court/JobRegistry.*"),
        ("test/unit/PaymentVault.*", "test/unit/Governed.*", "test/court/BatchCourt.*"),
    ),
)

KILLED, SURVIVED, BROKEN = "killed", "survived", "not compiled"

OPERATORS = {
    "<": ["<=", ">="],
    "<=": ["<", ">"],
    ">": [">=", "<="],
    ">=": [">", "<"],
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
    "+": ["-"],
    "-": ["+"],
    "*": ["/"],
    "/": ["*"],
    "&": ["|"],
    "|": ["&"],
    "<<": [">>"],
    ">>": ["<<"],
    "+=": ["-="],
    "-=": ["+="],
}


@dataclass(frozen=True)
class Mutant:
    """Bytes `start`..`end` of a source, replaced by `after`."""

    source: str
    line: int
    kind: str
    start: int
    end: int
    after: str
    #: The line as it is, for people and to find the mutant again when lines have moved.
    shown: str

    @property
    def key(self) -> str:
        return f"{self.source} | {self.kind} | {self.shown} | {' '.join(self.after.split())}"


# -- mutants of a syntax tree ----------------------------------------------------------------------


def span(node: dict[str, Any]) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "nodeType" in tree:
            yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def edits(node: dict[str, Any], text: bytes) -> Iterator[tuple[str, int, int, str]]:
    """(kind, start, end, replacement) of each way to break `node`."""
    start, end = span(node)
    match node["nodeType"]:
        case "BinaryOperation":
            yield from exchange(node["leftExpression"], node["rightExpression"], node["operator"], text)
        case "Assignment":
            yield from exchange(node["leftHandSide"], node["rightHandSide"], node["operator"], text)
        case "ExpressionStatement" | "EmitStatement":
            yield "statement left out", start, end + text[end : end + 1].count(b";"), "{ }"
        case "YulExpressionStatement":
            yield "statement left out", start, end, ""
        case "IfStatement":
            inner = node["trueBody"].get("statements", [node["trueBody"]])
            if len(inner) == 1 and inner[0]["nodeType"] == "RevertStatement" and "falseBody" not in node:
                yield "check left out", start, end + text[end : end + 1].count(b";"), "{ }"
            else:
                low, high = span(node["condition"])
                yield "condition negated", low, high, f"!({text[low:high].decode()})"
        case "ModifierInvocation":
            if node.get("kind") == "modifierInvocation":
                yield "modifier left out", start, end, ""
        case "Literal" if node["kind"] == "number" and text[start:end].isdigit():
            value = int(text[start:end])
            yield "constant + 1", start, end, str(value + 1)
            if value:
                yield "constant - 1", start, end, str(value - 1)
        case "FunctionCall" if node["kind"] == "functionCall":
            for first, second in zip(node["arguments"], node["arguments"][1:], strict=False):
                (a, b), (c, d) = span(first), span(second)
                same = first["typeDescriptions"] == second["typeDescriptions"]
                if same and text[a:b] != text[c:d]:
                    swapped = (text[c:d] + text[b:c] + text[a:b]).decode()
                    yield "arguments swapped", a, d, swapped
        case "Conditional":
            (a, b), (c, d) = span(node["trueExpression"]), span(node["falseExpression"])
            yield "arms swapped", a, d, (text[c:d] + text[b:c] + text[a:b]).decode()
        case "UnaryOperation" if node["operator"] == "!":
            low, high = span(node["subExpression"])
            yield "negation left out", start, high, text[low:high].decode()


def exchange(
    left: dict[str, Any], right: dict[str, Any], operator: str, text: bytes
) -> Iterator[tuple[str, int, int, str]]:
    low, high = span(left)[1], span(right)[0]
    place = text.find(operator.encode(), low, high)
    for other in OPERATORS.get(operator, []) if place >= 0 else []:
        yield f"{operator} for {other}", place, place + len(operator), other


def parse(sources: list[str]) -> dict[str, Any]:
    """The compiler's syntax trees."""
    if not sources:
        return {}
    files = {name: text for source in sources for name, text in closure(source).items()}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in files.items()},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}, "evmVersion": "cancun"},
    }
    output = json.loads(solc("--standard-json", stdin=json.dumps(request)))
    return {source: output["sources"][source]["ast"] for source in sources}


def mutants(sources: list[str]) -> list[Mutant]:
    found: dict[tuple[str, int, int, str], Mutant] = {}
    for source, tree in parse(sources).items():
        text = (CONTRACTS / source).read_bytes()
        for node in nodes(tree):
            for kind, start, end, after in edits(node, text):
                line = text.count(b"\n", 0, start)
                shown = text.splitlines()[line].decode().strip()
                place = (source, start, end, after)
                found[place] = Mutant(source, line + 1, kind, start, end, after, shown)
    return sorted(found.values(), key=lambda mutant: (mutant.source, mutant.start, mutant.after))


# -- trying them -----------------------------------------------------------------------------------


def paths(patterns: tuple[str, ...]) -> list[str]:
    found = sorted({p for pattern in patterns for p in CONTRACTS.glob(pattern) if p.name.endswith(".t.sol")})
    return [str(path.relative_to(CONTRACTS)) for path in found]


class Trial:
    """One group of sources, in a workspace for its quick tests and one for its slow ones."""

    def __init__(self, group: Group, folder: Path, stack: ExitStack) -> None:
        quick = paths(group.tests)
        slow = [path for path in paths(group.slow) if path not in quick]
        self.workspaces = [
            stack.enter_context(Workspace(folder / name, tests))
            for name, tests in (("quick", quick), ("slow", slow))
        ]
        for workspace in self.workspaces:
            verdict, output = workspace.run()
            if verdict != "passed":
                sys.exit(f"the tests fail before anything is broken:\n{output[-3000:]}")

    def verdict(self, mutant: Mutant) -> str:
        text = (CONTRACTS / mutant.source).read_bytes()
        changed = text[: mutant.start] + mutant.after.encode() + text[mutant.end :]
        for workspace in self.workspaces:
            if mutant.source not in workspace.names:  # nor what it imports
                continue
            workspace.write(mutant.source, changed)
            try:
                result, _ = workspace.run("--fail-fast", timeout=120)
            finally:
                workspace.restore(mutant.source)
            if result != "passed":
                return {"failed": KILLED, "slow": KILLED, "broken": BROKEN}[result]
        return SURVIVED


def sample(every: list[Mutant], seed: int) -> list[Mutant]:
    """All mutants in a random order in which the sources take turns, so that small ones are not missed."""
    shuffled = random.Random(seed).sample(every, len(every))  # noqa: S311  (not a secret)
    seen: Counter[str] = Counter()
    turns: dict[Mutant, int] = {}
    for mutant in shuffled:
        turns[mutant] = seen[mutant.source]
        seen[mutant.source] += 1
    return sorted(shuffled, key=turns.__getitem__)


def attempt(group: Group, chosen: list[Mutant], minutes: float, report: Report) -> None:
    if not chosen:
        return
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ExitStack() as stack:
        trial = Trial(group, Path(folder), stack)
        until = time.monotonic() + 60 * minutes
        for number, mutant in enumerate(chosen, 1):
            if time.monotonic() > until:
                break
            verdict = trial.verdict(mutant)
            report.add(mutant, verdict)
            print(f"{number}/{len(chosen)} {verdict:12} {mutant.line:4} {mutant.key}", flush=True)


# -- what came of it -------------------------------------------------------------------------------


class Report:
    """snapshots/mutation.json: per source the mutants there are and what became of those tried."""

    def __init__(self) -> None:
        self.sources: dict[str, Any] = {}
        if RESULTS.exists():
            self.sources = json.loads(RESULTS.read_text(encoding="utf-8"))

    def start(self, source: str, count: int, seed: int) -> None:
        reasons = self.sources.get(source, {}).get("survivors", {})
        self.sources[source] = {
            "mutants": count, "seed": seed, KILLED: 0, BROKEN: 0, "survivors": {}, "reasons": reasons
        }

    def add(self, mutant: Mutant, verdict: str) -> None:
        entry = self.sources[mutant.source]
        if verdict == SURVIVED:
            entry["survivors"][mutant.key] = entry.get("reasons", {}).get(mutant.key, "")
        else:
            entry[verdict] += 1

    def save(self) -> None:
        for entry in self.sources.values():
            entry.pop("reasons", None)
        text = json.dumps(dict(sorted(self.sources.items())), indent=1, ensure_ascii=False)
        RESULTS.write_text(text + "\n", encoding="utf-8")


def table(sources: dict[str, Any]) -> str:
    """What was tried, in a sentence, and what came of it."""
    lines = [
        "| source | mutants there are | tried | not compiled | killed | survived |",
        "|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for name, entry in sources.items():
        survived = len(entry["survivors"])
        counts = {
            "there": entry["mutants"],
            "tried": entry[KILLED] + entry[BROKEN] + survived,
            BROKEN: entry[BROKEN],
            KILLED: entry[KILLED],
            SURVIVED: survived,
        }
        total.update(counts)
        lines.append(f"| `{name.removeprefix('src/')}` | " + " | ".join(map(str, counts.values())) + " |")
    lines.append("| all | " + " | ".join(map(str, total.values())) + " |")
    seeds = sorted({entry["seed"] for entry in sources.values()})
    tried = (
        f"Tried were {total['tried']} of {total['there']} mutants of these {len(sources)} sources, drawn at random "
        f"(`--seed {' and '.join(map(str, seeds))}`) with the sources taking turns, until the time was up: "
        f"{total[KILLED]} killed, {total[SURVIVED]} survived, {total[BROKEN]} not compiled."
    )
    lines = [tried, "", *lines]
    if total[SURVIVED]:
        lines += ["", "| survivor | why |", "|---|---|"]
    for name, entry in sources.items():
        for key, why in entry["survivors"].items():
            _, kind, shown, after = (part.strip() for part in key.replace("||", "\u2016").split(" | ", 3))
            cell = f"`{name.removeprefix('src/')}`: `{shown}`: {kind}, `{after}`"
            lines.append("| " + cell.replace("|", "\\|") + f" | {why} |")
    return "\n".join(lines)


def write_docs(sources: dict[str, Any]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        sys.exit(f"{DOCS} lacks {BEGIN} ... {END}")
    DOCS.write_text(f"{before}{BEGIN}\n{table(sources)}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=25, help="time to try them in, shared out by number")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--only", default="", help="only sources with this in their path")
    parser.add_argument("--list", action="store_true", help="count the mutants and stop")
    parser.add_argument("--survivors", action="store_true", help="try the last survivors again")
    parser.add_argument("--write", action="store_true", help="write the table of the last run")
    options = parser.parse_args()

    report = Report()
    if options.write:
        write_docs(report.sources)
        return
    every = {
        group: mutants([source for source in group.sources if options.only in source])
        for group in GROUPS
    }
    if options.list:
        for source, count in Counter(m.source for found in every.values() for m in found).items():
            print(f"{count:5} {source}")
        return
    total = sum(map(len, every.values()))
    for group, found in every.items():
        if options.survivors:
            tried = {m.source: report.sources[m.source] for m in found if m.source in report.sources}
            chosen = [m for m in found if m.key in tried.get(m.source, {}).get("survivors", {})]
            for entry in tried.values():
                entry["reasons"], entry["survivors"] = entry["survivors"], {}
        else:
            chosen = sample(found, options.seed)
            for source in (source for source in group.sources if options.only in source):
                report.start(source, sum(m.source == source for m in found), options.seed)
        attempt(group, chosen, options.minutes * len(found) / total, report)
    report.save()


if __name__ == "__main__":
    main()
