"""The contracts on a chain of their own, by the commands a person types: deployed, read back,
changed, found out, and a node that starts on the manifest.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from live_network import ROOT, network, until

from infera.cli import main
from infera.cli.common import http_json
from infera.errors import InferaError
from infera.keys import KeyStore
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.blueprint import draw
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.deployment.placing import FACTORY
from infera_plugins.chains.evm.deployment.prospects import GAS_CAP
from infera_plugins.chains.evm.deployment.terms import Terms
from infera_plugins.chains.evm.deployment.verify_code import Workshop
from infera_plugins.chains.evm.gas import ORACLE

if TYPE_CHECKING:
    from collections.abc import Iterator

ANVIL = sorted(
    (ROOT / "contracts" / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*")
) or [Path(path) for path in (shutil.which("anvil"),) if path]

pytestmark = pytest.mark.skipif(
    not ANVIL, reason="anvil is not installed: run `npm ci` in contracts/"
)

MODES = {
    "ethereum": (),
    "optimism": ("--network", "optimism"),
    "bare": ("--disable-default-create2-deployer",),
}
L1_FEE = 123_456_789


class Chain(NamedTuple):
    """A running anvil and a home with keys for it."""

    url: str
    home: Path
    mode: str

    def ask(self, method: str, *params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return http_json(self.url, body=call)["result"]

    def run(self, *words: str, code: int = 0) -> str:
        """A command on this chain; what it printed."""
        said, status = io.StringIO(), 0
        with redirect_stdout(said), redirect_stderr(said):
            try:
                main([*words, "--rpc", self.url, "--home", str(self.home)])
            except SystemExit as stop:
                status = int(stop.code or 0)
        assert status == code, said.getvalue()
        return said.getvalue()

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def key(self, name: str) -> str:
        return KeyStore(self.home / "keys").get(name).address

    def blocks(self) -> int:
        return int(self.ask("eth_blockNumber"), 16)


@contextmanager
def anvil(folder: Path, mode: str, *options: str) -> Iterator[Chain]:
    """A chain of its own, one block a transaction."""
    log, home = folder / "anvil.log", folder / "home"
    with log.open("wb") as sink:
        command = [str(ANVIL[0]), "--port", "0", *MODES[mode], *options]
        environment = {**os.environ, "NO_COLOR": "1"}
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)

    def address() -> str | None:
        assert process.poll() is None, log.read_text(errors="replace")
        _, found, rest = log.read_text(errors="replace").partition("Listening on ")
        return rest.split("\n")[0].strip() if found and "\n" in rest else None

    try:
        chain = Chain("http://" + until("anvil listens", address), home, mode)

        def answers() -> bool:
            try:
                return bool(chain.ask("eth_chainId"))
            except InferaError:
                return False

        until("anvil answers", answers)
        store = KeyStore(home / "keys")
        store.add("deployer", FAUCET)
        for name in ("governor", "hot", "router"):
            store.create(name)
        yield chain
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=sorted(MODES))
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chain]:
    with anvil(tmp_path, request.param) as chain:
        yield chain


def test_deploy_verify_tamper_and_again(chain: Chain) -> None:
    if chain.mode == "optimism":
        # anvil has no GasPriceOracle: this one answers every question with the same fee.
        code = f"0x63{L1_FEE:08x}60005260206000f3"
        chain.ask("anvil_setCode", ORACLE, code)
    assert (chain.ask("eth_getCode", FACTORY, "latest") == "0x") == (chain.mode == "bare")
    deploy = ("contracts", "deploy", "--key", "deployer")

    before = chain.blocks()
    plan = chain.json(*deploy, "--dry-run")
    assert chain.blocks() == before
    assert not (chain.home / "contracts.json").exists()
    assert plan["method"] == "create2"
    fees = {step["l1_fee_wei"] for step in plan["transactions"]}
    assert fees == ({str(L1_FEE)} if chain.mode == "optimism" else {None})
    assert max(step["gas"] for step in plan["transactions"]) <= GAS_CAP

    done = chain.json(*deploy, "--yes")
    assert done["contracts"] == plan["contracts"]  # what was shown is what came
    manifest = json.loads((chain.home / "contracts.json").read_text())
    assert manifest["contracts"] == plan["contracts"]
    assert set(manifest["contracts"]) == set(draw(Terms.model_validate(manifest["terms"])).names)
    assert manifest["method"] == "create2"
    for label, tx in manifest["transactions"].items():
        receipt = chain.ask("eth_getTransactionReceipt", tx)
        assert receipt["status"] == "0x1", label
        assert int(receipt["gasUsed"], 16) < GAS_CAP, label
        assert int(receipt["blockNumber"], 16) == manifest["blocks"][label]

    said = chain.json("contracts", "verify")
    assert [f for f in said["findings"] if not f["ok"]] == []
    assert len(said["findings"]) > 200

    before = chain.blocks()
    assert "nothing to do" in chain.run(*deploy, "--yes")
    assert chain.blocks() == before
    call = interface("JobRegistry").functions["setChallengeWindow"].call(60)
    tx = {
        "from": FAUCET.address,
        "to": plan["contracts"]["JobRegistry"],
        "data": "0x" + call.hex(),
    }
    chain.ask("eth_sendTransaction", tx)
    text = chain.run("contracts", "verify", code=1)
    assert "1 of" in text
    assert "JobRegistry.challengeWindow" in text
    assert "is 60, expected 90" in text


def test_a_public_chain_by_its_shipped_configuration(tmp_path: Path) -> None:
    with anvil(tmp_path, "optimism", "--chain-id", "84532") as chain:
        deploy = ("contracts", "deploy", "--key", "deployer", "--yes", "--confirmations", "0")
        bare = chain.run(*deploy, code=1)  # no toy money on a public chain
        assert "usdc, launch.distribution.team" in bare
        assert "wrong_chain" in chain.run(*deploy, "--config", "base", code=1)
        asked = chain.run(*deploy, "--config", "base-sepolia", code=1)
        assert "deployment_settings_missing" in asked
        for name in ("team", "investors", "public_launch", "foundation"):
            assert f"launch.distribution.{name}" in asked
        assert "usdc" not in asked
        assert "market" not in asked

        config = yaml.safe_load((ROOT / "configs" / "base-sepolia.yaml").read_text())
        [block] = config["chains"]
        people = {"team": "0x" + "a1" * 20, "investors": "0x" + "a2" * 20,
                  "public_launch": "0x" + "a3" * 20, "foundation": "0x" + "a4" * 20}  # fmt: skip
        block["launch"]["distribution"] = people
        block["launch"]["market"].pop("pool_factory")  # no such factory on this chain
        file = tmp_path / "sepolia.yaml"
        file.write_text(yaml.safe_dump(config))
        named = (*deploy, "--config", str(file))
        assert "usdc_unusable" in chain.run(*named, code=1)  # nothing stands there yet
        usdc = block["usdc"]
        token = interface("USDC").creation(FAUCET.address)
        code = Workshop(84532, 1).build(usdc, token)
        chain.ask("anvil_setCode", usdc, "0x" + code.hex())
        assert "deployed" in chain.run(*named)
        manifest = chain.home / "base-sepolia.json"  # where the configuration looks for it
        record = json.loads(manifest.read_text())
        assert record["contracts"]["USDC"] == usdc
        assert "USDC" not in record["transactions"]
        assert record["governor"] == record["contracts"]["InferaTimelock"]
        looked = ("contracts", "verify", "--manifest", str(manifest))
        text = chain.run(*looked)
        assert "minimum stakes are in INFR alone" in text
        assert "has yet to accept" in text
        before = chain.blocks()
        assert "nothing to do" in chain.run(*named)
        assert chain.blocks() == before

        accept = ("contracts", "accept", "--contracts", str(manifest), "--key", "governor", "--yes")
        chain.ask("anvil_setBalance", chain.key("governor"), hex(10**18))  # anybody's key
        assert "too_early" in chain.run(*accept, code=1)
        chain.ask("evm_increaseTime", hex(7 * 86_400 + 1))
        chain.ask("evm_mine")
        chain.ask("evm_setIntervalMining", 1)  # the command waits for a block to follow
        chain.run(*accept)
        text = chain.run(*looked)
        assert "holds no role anywhere" in text
        assert "has yet to accept" not in text
        assert "owns everything already" in chain.run(*accept)


def test_ownership_stake_and_money_by_hand(tmp_path: Path) -> None:
    with anvil(tmp_path, "ethereum") as chain:
        governor, router = chain.key("governor"), chain.key("router")
        deploy = ("contracts", "deploy", "--key", "deployer", "--yes")
        chain.run(*deploy, "--governor", governor)
        assert "has yet to accept" in chain.run("contracts", "verify")
        chain.ask("anvil_setBalance", governor, hex(10**18))
        chain.run("contracts", "accept", "--key", "governor", "--yes")
        assert "has yet to accept" not in chain.run("contracts", "verify")
        before = chain.blocks()
        assert "nothing to do" in chain.run(*deploy, "--governor", governor)
        assert chain.blocks() == before

        by = ("--key", "deployer", "--yes")
        refused = chain.run("stake", "deposit", "router", "10000", *by, code=1)
        assert "hot_key_needed" in refused
        low = chain.run("stake", "deposit", "router", "9999.5", *by, "--hot-key", "hot", code=1)
        assert "StakeRegistry_BelowMinimum(" in low
        chain.run("stake", "deposit", "router", "10000.25", *by, "--hot-key", "hot")
        chain.run("stake", "unbond", "router", "0.25", *by)
        assert "Hold_NotThawed(" in chain.run("stake", "withdraw", "router", *by, code=1)
        chain.run("stake", "rotate-key", "router", *by)
        facts = chain.json("stake", "show", "deployer")
        role = next(r for r in facts["roles"] if r["role"] == "router")
        assert (role["active"], role["unbonding"]) == (str(10_000 * 10**18), str(10**18 // 4))
        assert role["is_active"]
        assert facts["hot_key"] == router
        chain.ask("evm_increaseTime", hex(604_801))
        chain.ask("evm_mine")
        chain.run("stake", "withdraw", "router", *by)
        assert "10,000 " in chain.run("stake", "show", "deployer")

        contracts = json.loads((chain.home / "contracts.json").read_text())["contracts"]
        mint = interface("USDC").functions["mint"].call(FAUCET.address, 100 * 10**6)
        tx = {"from": FAUCET.address, "to": contracts["USDC"], "data": "0x" + mint.hex()}
        chain.ask("eth_sendTransaction", tx)
        assert "balance_too_low" in chain.run("vault", "deposit", "100.000001", *by, code=1)
        before = chain.blocks()
        dry = chain.run("vault", "deposit", "40.5", "--key", "deployer", "--dry-run")
        assert "40500000  (40.5 USDC)" in dry
        assert "succeeds" in dry
        assert "nothing was sent" in dry
        assert chain.blocks() == before
        done = chain.json("vault", "deposit", "40.5", *by)
        assert [c["function"] for c in done["calls"]] == ["depositWithPermit"]  # one transaction
        done = chain.json("vault", "bond", "deposit", "2", *by)
        assert [c["function"] for c in done["calls"]] == ["approve", "depositBond"]
        chain.run("vault", "deposit", "1", "--for", "governor", *by)
        chain.run("vault", "lock", "router", "30", *by)
        chain.run("vault", "unlock", "router", "10", *by)
        facts = chain.json("vault", "show", "deployer", "--router", "router")
        assert facts["free"] == "10500000"
        assert facts["holds"][0] | {"thawed_at": 0} == {
            "what": "bond", "active": "2000000", "thawing": "0", "thawed_at": 0
        }  # fmt: skip
        assert (facts["holds"][1]["active"], facts["holds"][1]["thawing"]) == (
            "20000000",
            "10000000",
        )
        short = chain.run("vault", "withdraw", "11", *by, code=1)
        assert "PaymentVault_InsufficientFree(" in short
        chain.ask("evm_increaseTime", hex(3_601))
        chain.ask("evm_mine")
        chain.run("vault", "withdraw", "20.5", "--thawed", "router", *by)
        chain.run("vault", "bond", "thaw", "2", *by)
        chain.ask("evm_increaseTime", hex(3_601))
        chain.ask("evm_mine")
        chain.run("vault", "bond", "withdraw", *by)
        facts = chain.json("vault", "show", "deployer", "--router", "router")
        assert (facts["free"], facts["wallet"]) == ("0", "79000000")
        chain.run("vault", "claim", "fees", *by)


def test_a_node_starts_on_the_manifest(tmp_path: Path) -> None:
    with anvil(tmp_path, "optimism") as chain:
        manifest = tmp_path / "network.json"
        deploy = ("contracts", "deploy", "--key", "deployer", "--yes", "--out", str(manifest))
        chain.run(*deploy)
        chain.run("stake", "deposit", "router", "10000", "--hot-key", "router", "--key", "deployer",
                  "--contracts", str(manifest), "--yes")  # fmt: skip
        config = yaml.safe_load((ROOT / "configs" / "router.yaml").read_text())
        config["chains"] = [{"kind": "evm", "rpc": chain.url, "contracts": str(manifest)}]
        config["roles"][0] |= {
            "listen": "127.0.0.1:0", "stake_infr": 0, "operator": FAUCET.address
        }  # fmt: skip
        config["fronts"] = []
        file = tmp_path / "router.yaml"
        file.write_text(yaml.safe_dump(config))
        with network(chain.home, config, "run", str(file)) as node:
            node.line("running    node")
            assert node.interrupt() == 0
