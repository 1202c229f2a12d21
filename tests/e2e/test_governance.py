"""A decision from a lock of INFR to what it changed, on a chain of its own, by the commands that
people type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from governed import DELAY, HOLDERS, VOTING_DELAY, VOTING_PERIOD, govern
from test_deployment import ANVIL, Chain, anvil, pytestmark

from infera_plugins.chains.evm.commands_desk import opened
from infera_plugins.chains.evm.contracts import interface

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ANVIL", "pytestmark"]


def later(chain: Chain, seconds: int) -> None:
    chain.ask("evm_increaseTime", hex(seconds))
    chain.ask("evm_mine")


def test_fees_are_changed_by_those_who_locked(tmp_path: Path) -> None:
    with anvil(tmp_path, "ethereum") as chain:

        async def found() -> None:
            async with opened(chain.url) as desk:
                await govern(desk, chain.home / "governed")

        anyio.run(found)
        home = Chain(chain.url, chain.home / "governed", chain.mode)
        by = ("--key", "whale", "--yes")
        lock = home.json("gov", "lock", str(HOLDERS["whale"]), "--for", "4y", *by)
        assert [call["function"] for call in lock["calls"]] == ["approve", "lock"]
        later(home, 1)  # power counts from the second after

        calls = ("--call", "PaymentVault.setFees(uint16,uint16)", "--arg", "120", "--arg", "150")
        made = home.json("gov", "propose", "--title", "Lower the fees", *calls, *by)
        assert made["kind"] == "parameter"
        assert made["actions"][0]["trial"]["verdict"] == "succeeds"
        assert "voting begins only at" in home.run("gov", "vote", made["id"], "for", *by, code=1)
        later(home, VOTING_DELAY + 1)
        home.run("gov", "vote", made["id"], "for", *by)
        shown = home.json("gov", "show", made["id"])
        assert int(shown["participation"]) > int(shown["quorum"])
        later(home, VOTING_PERIOD)
        home.run("gov", "queue", made["id"], "--key", "minnow", "--yes")
        early = home.run("gov", "execute", made["id"], "--key", "minnow", "--yes", code=1)
        assert "it can be executed only from" in early
        later(home, DELAY)
        home.run("gov", "execute", made["id"], "--key", "minnow", "--yes")

        known = interface("PaymentVault").functions["fees"]
        vault = home.json("gov", "show", made["id"])["actions"][0]["target"]
        answer = home.ask("eth_call", {"to": vault, "data": "0x" + known.call().hex()}, "latest")
        assert known.result(bytes.fromhex(answer[2:])) == (120, 150)
        assert "executed" in home.run("gov", "list")
