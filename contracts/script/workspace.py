"""A private copy of some tests and of the sources they need, where sources can be broken on purpose.

What the copy leaves out is not compiled. Tests are linked to contracts when they run, so a changed
contract is compiled alone, by a compiler that stays loaded. The optimizer stays off where the sources
compile without it, since only behaviour counts here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from build import CONTRACTS, closure

#: Fewer fuzz runs than the suite's: whatever is broken here is broken for most inputs.
FUZZ_RUNS = "32"
#: OpenZeppelin's P-256 is too deep for the stack otherwise.
NEEDS_OPTIMIZER = "/P256.sol"
RESIDENT = CONTRACTS / "script/resident.js"


class Workspace:
    """A folder with `tests` and all they import; `run` says whether tests in it pass."""

    def __init__(self, folder: Path, tests: list[str]) -> None:
        self.folder = folder
        self.names = sorted({name for test in tests for name in closure(test)})
        self.optimizer = any(name.endswith(NEEDS_OPTIMIZER) for name in self.names)
        for name in self.names:
            if not name.startswith("@"):
                self.restore(name)
        for file in (*CONTRACTS.glob("test/**/*.json"), *CONTRACTS.glob("snapshots/*.json")):
            self._copy(str(file.relative_to(CONTRACTS)))
        self._copy("foundry.toml")
        shutil.copytree(CONTRACTS / "bin", folder / "bin", dirs_exist_ok=True)
        (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
        shutil.copy(RESIDENT, folder / "bin/solc")
        (folder / "bin/solc").chmod(0o755)
        self.socket = str(folder / "solc.sock")
        self._compiler = subprocess.Popen(
            ["node", str(folder / "bin/solc"), "--serve", self.socket], stdout=subprocess.PIPE
        )
        assert self._compiler.stdout is not None
        self._compiler.stdout.readline()  # it listens

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self._compiler.terminate()
        self._compiler.communicate()

    def restore(self, name: str) -> None:
        self._copy(name)

    def write(self, name: str, text: bytes) -> None:
        (self.folder / name).write_bytes(text)

    def run(self, *arguments: str, timeout: float = 1800) -> tuple[str, str]:
        """Run forge test. The verdict is "passed", "failed", "broken" (does not compile) or "slow".

        Without a filter among the arguments: with one, forge parses everything first, which takes
        longer than to compile one contract.
        """
        settings = {
            "FOUNDRY_OPTIMIZER": str(self.optimizer).lower(),
            "FOUNDRY_DYNAMIC_TEST_LINKING": "true",
            "FOUNDRY_FUZZ_RUNS": FUZZ_RUNS,
            "FORGE_SNAPSHOT_CHECK": "false",
            "RESIDENT_SOLC": self.socket,
        }
        command = ["node", str(self.folder / "bin/forge"), "test"]
        try:
            done = subprocess.run(
                [*command, *arguments],
                cwd=self.folder,
                env=os.environ | settings,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return "slow", ""
        output = done.stdout + done.stderr
        if done.returncode == 0:
            return ("passed" if "Ran " in output else "broken"), output
        return ("failed" if "[FAIL" in output else "broken"), output

    def _copy(self, name: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CONTRACTS / name, target)
