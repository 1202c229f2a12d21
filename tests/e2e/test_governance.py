"""A decision from a lock of INFR to what it changed, on a chain of its own, by the commands that
people type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from test_deployment import ANVIL, Chain, anvil, pytestmark

from infera_plugins.chains.evm.contracts import interface

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ANVIL", "pytestmark"]

DAY = 86_400
TIMES = {
    "timelock_delay_s": 7 * DAY,
    "voting_delay_s": DAY,
    "voting_period_s": 5 * DAY,
    "vote_extension_s": 2 * DAY,
    "proposal_threshold": 100_000,
}
"""A public chain's, said so that no shorter ones are taken here."""


def later(chain: Chain, seconds: int) -> None:
    chain.ask("evm_increaseTime", hex(seconds))
    chain.ask("evm_mine")


def test_fees_are_changed_by_those_who_locked(tmp_path: Path) -> None:
    with anvil(tmp_path, "ethereum") as chain:
        config = tmp_path / "governed.yaml"
        launch = {"governor": "timelock", "governance": TIMES}
        block = {
            "kind": "evm", "rpc": chain.url, "launch": launch,
            "contracts": str(chain.home / "contracts.json"),
        }  # fmt: skip
        config.write_text(yaml.safe_dump({"node": {"name": "governed"}, "chains": [block]}))
        by = ("--key", "deployer", "--yes")
        chain.run("contracts", "deploy", "--config", str(config), *by)
        later(chain, 7 * DAY)
        chain.run("contracts", "accept", *by)  # what the deployment scheduled

        lock = chain.json("gov", "lock", "20000000", "--for", "4y", *by)
        assert [call["function"] for call in lock["calls"]] == ["approve", "lock"]
        later(chain, 1)  # power counts from the second after
        calls = ("--call", "PaymentVault.setFees(uint16,uint16)", "--arg", "120", "--arg", "150")
        made = chain.json("gov", "propose", "--title", "Lower the fees", *calls, *by)
        assert made["kind"] == "parameter"
        assert made["actions"][0]["trial"] == {"verdict": "succeeds", "detail": ""}
        assert "voting begins only at" in chain.run("gov", "vote", made["id"], "for", *by, code=1)
        later(chain, DAY + 1)
        chain.run("gov", "vote", made["id"], "for", *by)
        shown = chain.json("gov", "show", made["id"])
        assert int(shown["participation"]) > int(shown["quorum"]) > 0
        later(chain, 5 * DAY)
        chain.run("gov", "queue", made["id"], *by)
        early = chain.run("gov", "execute", made["id"], *by, code=1)
        assert "it can be executed only from" in early
        later(chain, 7 * DAY)
        chain.run("gov", "execute", made["id"], *by)

        known = interface("PaymentVault").functions["fees"]
        vault = chain.json("gov", "show", made["id"])["actions"][0]["target"]
        answer = chain.ask("eth_call", {"to": vault, "data": "0x" + known.call().hex()}, "latest")
        assert known.result(bytes.fromhex(answer[2:])) == (120, 150)
        assert "executed" in chain.run("gov", "list")
