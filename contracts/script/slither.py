#!/usr/bin/env python3
"""Run slither over src and see that each kind of finding has its answer in docs/security.md.

    python3 script/slither.py SLITHER     SLITHER is the program

Informational findings and those about gas are left out (slither.config.json). Fails if a detector
finds something that the table of docs/security.md says nothing about, or another number of things
than the table says: then somebody has to read what is new before the number is changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from build import CONTRACTS

DOCS = CONTRACTS.parent / "docs/security.md"
ANSWER = re.compile(r"^\| `([a-z-]+)` \| (High|Medium|Low) \| (\d+) \|", re.M)


def findings(slither: str) -> Counter[tuple[str, str]]:
    """How often each detector found something, by (detector, impact)."""
    with tempfile.TemporaryDirectory(prefix="slither-") as folder:
        # A copy, since slither throws away what was built before.
        copy = Path(folder)
        for name in ("src", "bin"):
            shutil.copytree(CONTRACTS / name, copy / name)
        for name in ("foundry.toml", "slither.config.json"):
            shutil.copy(CONTRACTS / name, copy)
        (copy / "node_modules").symlink_to(CONTRACTS / "node_modules")
        report = copy / "report.json"
        # It asks for `forge` by name.
        path = os.pathsep.join([str(copy / "bin"), os.environ["PATH"]])
        done = subprocess.run(
            [slither, ".", "--json", str(report), "--no-fail"],
            cwd=copy,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not report.exists():
            sys.exit(done.stdout)
        print(done.stdout)
        found = json.loads(report.read_text(encoding="utf-8"))["results"].get("detectors", [])
    return Counter((entry["check"], entry["impact"]) for entry in found)


def main() -> None:
    found = findings(sys.argv[1])
    for (detector, impact), count in sorted(found.items(), key=lambda item: item[0][::-1]):
        print(f"{impact:7} {count:4} {detector}")
    answered = {
        (name, impact): int(count)
        for name, impact, count in ANSWER.findall(DOCS.read_text("utf-8"))
    }
    wrong = [
        f"{detector} ({impact}): {found[detector, impact]} found, {answered.get((detector, impact), 0)} answered"
        for detector, impact in sorted(found.keys() | answered.keys())
        if found[detector, impact] != answered.get((detector, impact), 0)
    ]
    if wrong:
        sys.exit("\n".join([*wrong, f"in {DOCS.relative_to(CONTRACTS.parent)}"]))


if __name__ == "__main__":
    main()
