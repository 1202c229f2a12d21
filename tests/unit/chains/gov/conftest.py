"""A town with a governance: an embedded chain, holders of INFR, and the command line."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "e2e"))

from governed import HOLDERS, govern

from infera.cli import main
from infera.keys import KeyStore
from infera_plugins.chains.evm.commands import desk as commands_desk
from infera_plugins.chains.evm.commands.desk import at_contracts, opened
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.embedded import EmbeddedNode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infera_plugins.chains.evm.commands.desk import Desk

URL = "http://127.0.0.1:1"
START = 1_700_000_000


@dataclass
class Clock:
    """A second passes whenever somebody looks."""

    now: float = START

    def __call__(self) -> float:
        self.now += 1
        return self.now


def node(path: Path, clock: Clock) -> EmbeddedNode:
    rich = {bytes.fromhex(FAUCET.address[2:]): 10**30}
    return EmbeddedNode.at(path, chain_id=31337, alloc=rich, clock=clock)


@dataclass
class Town:
    """Types commands about one chain and one home, and lets time pass."""

    home: Path
    chain: Path
    capsys: pytest.CaptureFixture[str]
    clock: Clock = field(default_factory=Clock)

    def __call__(self, *words: str, code: int = 0) -> str:
        status = 0
        try:
            main([*words, "--rpc", URL, "--home", str(self.home)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        said = self.capsys.readouterr()
        assert status == code, said.out + said.err
        return said.out + said.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def sent(self, *words: str, by: str) -> Any:
        """What a command that sends has sent."""
        return self.json("gov", *words, "--key", by, "--yes")

    def refused(self, *words: str, by: str) -> str:
        return self("gov", *words, "--key", by, "--yes", code=1)

    def key(self, name: str) -> str:
        return KeyStore(self.home / "keys").get(name).address

    def forward(self, seconds: int) -> None:
        """Let time pass on the chain."""

        async def pass_time(desk: Desk) -> None:
            await desk.rpc.once("evm_increaseTime", hex(seconds))
            await desk.rpc.once("evm_mine")

        self.on_chain(pass_time)

    def until(self, seconds: int) -> None:
        """Let time pass until just after a moment."""
        self.forward(max(0, seconds + 1 - self.now()))

    def now(self) -> int:
        return int(self.on_chain(lambda desk: desk.now()))

    def on_chain(self, work: Callable[[Desk], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with at_contracts(URL, "home", self.home) as desk:
                return await work(desk)

        return anyio.run(run)

    def lock_all(self) -> None:
        """Everybody locks for as long as possible."""
        for name, amount in HOLDERS.items():
            self.sent("lock", str(amount), "--for", "4y", by=name)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """(a folder with the chain and the home, its time): made once, copied for each test."""
    folder = tmp_path_factory.mktemp("founded")
    home, clock = folder / "home", Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands_desk, "make_transport", lambda _: node(folder / "chain.db", clock))

        async def run() -> None:
            async with opened(URL) as desk:
                await govern(desk, home)

        anyio.run(run)
    return folder, clock.now


@pytest.fixture
def town(
    founded: tuple[Path, float],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Town:
    folder, now = founded
    shutil.copytree(folder, tmp_path / "town")
    town = Town(tmp_path / "town" / "home", tmp_path / "town" / "chain.db", capsys, Clock(now))
    monkeypatch.setattr(commands_desk, "make_transport", lambda _: node(town.chain, town.clock))
    return town
