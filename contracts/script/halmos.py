#!/usr/bin/env python3
"""Run the symbolic checks of test/halmos.

    python3 script/halmos.py HALMOS [ARGUMENTS]     HALMOS is the program

Works on a private copy: halmos needs the compiler's syntax trees, which other builds have no use for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from build import CONTRACTS
from workspace import Workspace

#: How long the solver thinks about one question. What takes longer is reported as a failure.
SOLVER_MILLISECONDS = "60000"


def main() -> None:
    halmos, *arguments = sys.argv[1:]
    checks = sorted(str(p.relative_to(CONTRACTS)) for p in CONTRACTS.glob("test/halmos/*.sol"))
    with tempfile.TemporaryDirectory(prefix="halmos-") as name, Workspace(Path(name), checks) as copy:
        # halmos asks for `forge` by name, and looks for what it built in `out`.
        (copy.folder / "bin/forge").chmod(0o755)
        path = os.pathsep.join([str(copy.folder / "bin"), os.environ["PATH"]])
        environment = os.environ | {"PATH": path, "FOUNDRY_AST": "true", "RESIDENT_SOLC": copy.socket}
        command = [halmos, "--solver-timeout-assertion", SOLVER_MILLISECONDS, "--no-status", *arguments]
        sys.exit(subprocess.run(command, cwd=copy.folder, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
