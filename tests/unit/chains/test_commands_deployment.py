"""Deploying on purpose: what a broken-off run leaves, the fallback, the hand-over, and reading it
back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from eth_utils.address import to_checksum_address

from infera.errors import ChainError, InferaError, NeedsOperatorError
from infera.keys import Signer
from infera_ext import keccak256
from infera_plugins.chains.evm.commands.contracts import require_usdc
from infera_plugins.chains.evm.config import EvmConfig
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.blueprint import draw
from infera_plugins.chains.evm.deployment.executor import Deployer
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.deployment.manifest import Deployment
from infera_plugins.chains.evm.deployment.placing import (
    FACTORY,
    FACTORY_SENDER,
    FACTORY_TRANSACTION,
    create2_address,
    create_address,
)
from infera_plugins.chains.evm.deployment.prospects import GAS_CAP, prospects
from infera_plugins.chains.evm.deployment.terms import terms_of
from infera_plugins.chains.evm.deployment.verify import verify
from infera_plugins.chains.evm.gas import ORACLE, Meter, intrinsic_gas
from infera_plugins.chains.evm.rpc import RpcFailureError
from infera_plugins.chains.evm.transactions import Transactor

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = 31337
GAS = 16_000_000
GOVERNOR = Signer.from_hex("33" * 32)


def deployer(local: Any, path: Path, said: list[str] | None = None, **options: Any) -> Deployer:
    """As the command makes one; the manifest is taken up if it is there."""
    signer, salt = options.pop("signer", FAUCET), options.pop("salt", "infera")
    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01, flat_gas=options.pop("gas", GAS))
    record = Deployment.load(path) or Deployment(CHAIN, "", 0)
    start = record.terms.get("start", int(local.clock.now))
    terms = terms_of(EvmConfig(**options), CHAIN, signer.address, start, salt=salt)
    report = (said if said is not None else []).append
    return Deployer(local.rpc, transactor, signer, draw(terms), record, path, report=report)


def differing(findings: list[Any]) -> list[str]:
    return [finding.what for finding in findings if not finding.good]


async def nonce(local: Any) -> int:
    return int(await local.ask("eth_getTransactionCount", FAUCET.address, "latest"), 16)


def refuse_factory(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As chains do that want every transaction signed for them alone."""
    once = local.rpc.once

    async def strict(method: str, *params: Any) -> Any:
        if method == "eth_sendRawTransaction" and params[0] == "0x" + FACTORY_TRANSACTION.hex():
            raise RpcFailureError(-32000, "only replay-protected (EIP-155) transactions allowed")
        return await once(method, *params)

    monkeypatch.setattr(local.rpc, "once", strict)


def test_addresses_are_the_published_ones() -> None:
    assert create_address(FACTORY_SENDER, 0) == FACTORY
    # keccak(rlp([0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0, 0])), a vector of go-ethereum's tests
    sender = to_checksum_address("0x970e8128ab834e8eac17ab8e3812f010678cf791")
    assert create_address(sender, 0).lower() == "0x333c3310824b7c685133f2bedb2ca4b8b4df633d"


def test_the_factorys_transaction_is_from_whom_it_says() -> None:
    from eth_account import Account

    assert Account.recover_transaction(FACTORY_TRANSACTION) == FACTORY_SENDER


async def test_everything_is_deployed_once_and_reads_back(local: Any, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    first = deployer(local, path, gas=None)
    missing = await first.survey()
    assert not path.exists()
    transactor = Transactor(local.rpc, CHAIN)
    meter = Meter(local.rpc, transactor, CHAIN)
    costs = await prospects(first, missing, local.rpc, transactor, meter)
    assert [p.label for p in costs[1:]] == [step.label for step in missing]
    assert max(p.cost.gas for p in costs) <= GAS_CAP
    planned = {name: first.placement.at(name) for name in first.blueprint.names}
    await first.run()
    record = json.loads(path.read_text())
    assert record["contracts"] == planned
    assert set(record["contracts"]) == set(first.blueprint.names)
    assert record["expected"] == {}
    assert record["finished"]
    assert set(record["transactions"]) == set(record["blocks"]) == {s.label for s in missing}
    assert record["arguments"]["StakeRegistry"]["minimumRouter"] == str(10_000 * 10**18)
    for label, tx in record["transactions"].items():
        receipt = await local.ask("eth_getTransactionReceipt", tx)
        assert int(receipt["gasUsed"], 16) < GAS_CAP, label
    assert differing(await verify(local.rpc, Deployment.load(path) or first.record)) == []

    block = await local.rpc.block_number()
    again = deployer(local, path)
    assert await again.survey() == []
    await again.run()
    assert await local.rpc.block_number() == block


@pytest.mark.parametrize("method", ["create2", "create"])
@pytest.mark.parametrize("mined", [True, False])
async def test_a_run_killed_at_every_step_is_taken_up(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, mined: bool
) -> None:
    if method == "create":
        refuse_factory(local, monkeypatch)
    path, send_all = tmp_path / "manifest.json", Transactor.send_all
    allowed = False

    async def dying(self: Transactor, *args: Any) -> Any:
        nonlocal allowed
        if not mined and not allowed:  # the next life begins where this one ends
            allowed = True
            raise RuntimeError("killed")
        receipts = await send_all(self, *args)
        if mined or allowed:
            allowed = False
        if mined:  # but nobody hears of it
            raise RuntimeError("killed")
        return receipts

    monkeypatch.setattr(Transactor, "send_all", dying)
    lives = 0
    while True:
        lives += 1
        made = deployer(local, path)
        try:
            await made.run()
        except RuntimeError:
            continue
        break
    assert lives == len(made.placement.steps) + 1
    record = Deployment.load(path)
    assert record is not None
    assert record.complete
    assert record.method == method
    assert differing(await verify(local.rpc, record)) == []
    # Everything was sent once; under CREATE2 the factory was paid for too.
    assert await nonce(local) == len(made.placement.steps) + (method == "create2")


async def test_create_where_the_factory_is_refused(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_factory(local, monkeypatch)
    path, said = tmp_path / "manifest.json", list[str]()
    made = deployer(local, path, said)
    await made.run()
    assert any("CREATE instead" in text for text in said)
    assert made.record.method == "create"
    assert differing(await verify(local.rpc, made.record)) == []
    assert await nonce(local) == len(made.placement.steps)


async def test_another_program_that_sends_is_noticed(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, send_all = tmp_path / "manifest.json", Transactor.send_all

    async def crowded(self: Transactor, *args: Any) -> Any:
        monkeypatch.setattr(Transactor, "send_all", send_all)
        await self.send(FAUCET, GOVERNOR.address, b"", value=1, gas=21_000)
        return await send_all(self, *args)

    monkeypatch.setattr(Transactor, "send_all", crowded)
    with pytest.raises(NeedsOperatorError, match="another program"):
        await deployer(local, path).run()
    made = deployer(local, path)
    await made.run()
    assert differing(await verify(local.rpc, made.record)) == []


async def accept(local: Any, made: Deployer) -> None:
    """As `infera contracts accept` does by the governor's key."""
    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01)
    await transactor.send(FAUCET, GOVERNOR.address, b"", value=10**18)
    for name in made.blueprint.handed:
        call = interface(name).functions["acceptOwnership"].call()
        await transactor.send(GOVERNOR, made.record.contracts[name], call)


async def test_the_governor_gets_everything_in_two_steps(local: Any, tmp_path: Path) -> None:
    path, launch = tmp_path / "manifest.json", {"governor": GOVERNOR.address}
    made = deployer(local, path, launch=launch)
    await made.run()
    findings = await verify(local.rpc, made.record)
    assert differing(findings) == []
    waiting = [f.what for f in findings if "has yet to accept" in f.detail]
    assert waiting == [f"{name} owner" for name in made.blueprint.handed]
    assert await deployer(local, path, launch=launch).survey() == []
    await accept(local, made)
    findings = await verify(local.rpc, made.record)
    assert differing(findings) == []
    assert not any("has yet to accept" in finding.detail for finding in findings)
    assert "holds no role" in next(f.detail for f in findings if f.what == "deployer")


async def test_the_timelock_gets_everything(local: Any, tmp_path: Path) -> None:
    path, launch = tmp_path / "manifest.json", {"governor": "timelock"}
    made = deployer(local, path, launch=launch)
    await made.run()
    timelock = made.record.contracts["InferaTimelock"]
    assert made.record.governor == timelock
    findings = await verify(local.rpc, made.record)
    assert differing(findings) == []
    assert "infera contracts accept" in next(f.detail for f in findings if f.what == "acceptance")
    local.clock.now += 10
    batch = next(w for w in made.blueprint.wires if w.function == "scheduleBatch")
    execute = interface("InferaTimelock").functions["executeBatch"]
    arguments = batch.arguments(made.placement.at)[:-1]
    anybody = Transactor(local.rpc, CHAIN, poll_s=0.01)
    await anybody.send(FAUCET, GOVERNOR.address, b"", value=10**18)
    await anybody.send(GOVERNOR, timelock, execute.call(*arguments))
    findings = await verify(local.rpc, made.record)
    assert differing(findings) == []
    assert "holds no role" in next(f.detail for f in findings if f.what == "deployer")
    assert await deployer(local, path, launch=launch).survey() == []


async def test_other_settings_are_refused(local: Any, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    made = deployer(local, path)
    await made.run()
    with pytest.raises(NeedsOperatorError, match="challenge_window_s 90 not 60") as caught:
        await deployer(local, path, challenge_window_s=60).survey()
    assert caught.value.code == "deployment_differs"
    with pytest.raises(NeedsOperatorError, match=r"launch\.court\.demand_bond 10 not 11"):
        await deployer(local, path, launch={"court": {"demand_bond": 11}}).survey()
    with pytest.raises(NeedsOperatorError, match="salt"):
        await deployer(local, path, salt="x").survey()
    with pytest.raises(NeedsOperatorError, match="usdc None"):
        await deployer(local, path, usdc=made.record.contracts["USDC"]).survey()
    made.record.terms = {}  # as a record of the settlement contracts alone
    made.record.save(path)
    with pytest.raises(NeedsOperatorError, match="settlement contracts alone"):
        await deployer(local, path).survey()
    with pytest.raises(NeedsOperatorError, match="on which terms"):
        await verify(local.rpc, made.record)


async def test_usdc_must_be_usdc(local: Any, tmp_path: Path) -> None:
    made = deployer(local, tmp_path / "one.json")
    await made.run()
    usdc, infr = made.record.contracts["USDC"], made.record.contracts["INFR"]
    for wrong, words in (("0x" + "55" * 20, "no contract"), (infr, "18 decimals"),
                         (made.record.contracts["JobRegistry"], "no token")):  # fmt: skip
        with pytest.raises(NeedsOperatorError, match=words) as caught:
            await require_usdc(local, wrong)
        assert caught.value.code == "usdc_unusable"
    await require_usdc(local, usdc)
    second = deployer(local, tmp_path / "two.json", usdc=usdc, salt="second")
    assert "USDC" not in [step.label for step in await second.survey()]
    await second.run()
    assert second.record.contracts["USDC"] == usdc
    assert second.record.contracts["INFR"] != infr
    findings = await verify(local.rpc, second.record)
    assert differing(findings) == []
    assert any(f.what == "USDC decimals" for f in findings)


@pytest.mark.parametrize("word", ["Timelock", "0x12", "0x" + "1g" * 20])
def test_a_governor_is_a_word_or_an_address(word: str) -> None:
    with pytest.raises(ValueError, match="governor"):
        EvmConfig.model_validate({"launch": {"governor": word}})


def test_a_public_chain_needs_what_only_people_know() -> None:
    with pytest.raises(InferaError, match="pair_factory must be set") as caught:
        terms_of(EvmConfig(usdc="0x" + "11" * 20), 8453, FAUCET.address, 0)
    assert "launch.distribution.foundation" in caught.value.message
    assert "usdc" not in caught.value.message
    holders = dict.fromkeys(("team", "investors", "public_launch", "foundation"), "0x" + "22" * 20)
    launch: dict[str, Any] = {
        "distribution": holders, "market": {"pair_factory": "0x" + "33" * 20},
        "price": {"minimum_usdc": {"router": 5}},
    }  # fmt: skip
    settings = {"usdc": "0x" + "11" * 20, "launch": launch}
    with pytest.raises(InferaError, match=r"launch\.price\.feed"):
        terms_of(EvmConfig.model_validate(settings), 8453, FAUCET.address, 0)
    del launch["price"]
    terms = terms_of(EvmConfig.model_validate(settings), 8453, FAUCET.address, 0)
    assert terms.governor == "timelock"
    assert terms.launch.governance.timelock_delay_s == 7 * 86_400
    assert not terms.launch.attestation.development


async def test_a_node_starts_on_a_named_manifest(run_chain: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with run_chain(home) as net:
        contracts = dict(net.chain.contracts)
    (home / "contracts.json").rename(home / "net.json")
    async with run_chain(home, contracts="net.json") as net:
        assert dict(net.chain.contracts) == contracts
        assert await net.chain.minimum_stake(1) == 1_000 * 10**18
    with pytest.raises(NeedsOperatorError, match="no such file"):
        async with run_chain(home, contracts="other.json"):
            pass
    record = json.loads((home / "net.json").read_text())
    (home / "half.json").write_text(json.dumps(record | {"finished": False}))
    with pytest.raises(NeedsOperatorError, match="broke off"):
        async with run_chain(home, contracts=str(home / "half.json")):
            pass
    (home / "far.json").write_text(json.dumps(record | {"chain_id": 1}))
    with pytest.raises(NeedsOperatorError, match="about chain 1"):
        async with run_chain(home, contracts="far.json"):
            pass


async def test_a_node_deploys_with_the_usdc_it_is_told(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path) as net:
        usdc = net.chain.contracts["USDC"]
        infr = net.chain.contracts["INFR"]
    (tmp_path / "contracts.json").unlink()
    async with run_chain(tmp_path, usdc=usdc.lower()) as net:
        assert net.chain.contracts["USDC"] == usdc
        assert net.chain.contracts["INFR"] != infr
        assert await net.chain.call("PaymentVault", "usdc") == usdc


# -- gas


class Oracle:
    """A chain whose GasPriceOracle answers in some way."""

    def __init__(self, local: Any, answer: bytes | None, code: bytes = b"\x00") -> None:
        self._rpc, self._answer, self._code = local.rpc, answer, code
        self.asked: list[bytes] = []

    async def code(self, address: str) -> bytes:
        assert address == ORACLE
        return self._code

    async def read(self, method: str, *params: Any) -> Any:
        if method == "eth_call" and params[0]["to"] == ORACLE:
            data = bytes.fromhex(params[0]["data"][2:])
            assert data[:4] == keccak256(b"getL1Fee(bytes)")[:4]
            self.asked.append(data[4:])
            if self._answer is None:
                raise RpcFailureError(3, "execution reverted")
            return "0x" + self._answer.hex()
        return await self._rpc.read(method, *params)


async def test_the_fee_of_the_chain_below_is_part_of_the_cost(local: Any) -> None:
    data = b"\x01" * 70
    chain: Any = Oracle(local, (12_345).to_bytes(32, "big"))
    cost = await Meter(chain, Transactor(local.rpc, 10), 10).cost(50_000, FACTORY, data)
    assert cost.l1_fee == 12_345
    assert cost.expected == 50_000 * cost.price + 12_345
    assert cost.most >= cost.expected
    [asked] = chain.asked
    assert data in asked
    length = int.from_bytes(asked[32:64], "big")
    assert asked[64] == 2  # an unsigned EIP-1559 transaction, whole
    assert 100 < length < 160


@pytest.mark.parametrize(("answer", "code"), [(None, b"\x00"), (b"", b"\x00"), (b"\x01" * 32, b"")])
async def test_a_chain_without_the_oracle_has_no_such_fee(
    local: Any, answer: bytes | None, code: bytes
) -> None:
    chain: Any = Oracle(local, answer, code)
    meter = Meter(chain, Transactor(local.rpc, 10), 10)
    for _ in range(2):
        assert (await meter.cost(21_000, FACTORY, b"")).l1_fee is None
    assert len(chain.asked) <= 1


def test_intrinsic_gas_is_the_yellow_papers() -> None:
    assert intrinsic_gas(b"", creates=False) == 21_000
    assert intrinsic_gas(b"\x00\x01", creates=False) == 21_020
    assert intrinsic_gas(bytes(33), creates=True) == 21_000 + 132 + 32_000 + 4


async def test_an_account_without_gas_money_is_told(local: Any, tmp_path: Path) -> None:
    assert create2_address(bytes(32), b"") != create2_address(bytes(32), b"\x00")
    poor = deployer(local, tmp_path / "m.json", signer=Signer.from_hex("44" * 32))
    with pytest.raises(ChainError):
        await poor.run()
