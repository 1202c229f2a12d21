"""Deploying on purpose: what a broken-off run leaves, the fallback, and reading it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from eth_utils.address import to_checksum_address

from infera.errors import ChainError, NeedsOperatorError
from infera.keys import Signer
from infera_ext import keccak256
from infera_plugins.chains.evm.config import CONTRACTS, EvmConfig
from infera_plugins.chains.evm.contracts import PROTOCOL, interface
from infera_plugins.chains.evm.deploy import FAUCET, Deployment
from infera_plugins.chains.evm.deployment import (
    FACTORY,
    FACTORY_SENDER,
    FACTORY_TRANSACTION,
    Launch,
    Terms,
    create2_address,
    create_address,
)
from infera_plugins.chains.evm.gas import ORACLE, Meter, intrinsic_gas
from infera_plugins.chains.evm.rpc import RpcFailureError
from infera_plugins.chains.evm.transactions import Transactor
from infera_plugins.chains.evm.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = 31337
GOVERNOR = Signer.from_hex("33" * 32)


def launch(local: Any, path: Path, said: list[str] | None = None, **options: Any) -> Launch:
    """As the command makes one; the manifest is taken up if it is there."""
    governor = options.pop("governor", None)
    settings = EvmConfig(**options.pop("config", {}))
    terms = Terms(FAUCET.address, FAUCET.address, settings, **options)
    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01)
    deployment = Deployment.load(path) or Deployment(CHAIN, "", 0)
    return Launch(
        local.rpc, transactor, Meter(local.rpc, transactor, CHAIN), FAUCET, terms, deployment, path,
        governor=governor, report=(said if said is not None else []).append,
    )  # fmt: skip


def differing(findings: list[Any]) -> list[str]:
    return [finding.what for finding in findings if not finding.good]


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
    said: list[str] = []
    first = launch(local, path, said)
    prospects = await first.prepare()
    assert not path.exists()
    assert [p.label for p in prospects if "proxy" not in p.label] == [s.label for s in first.steps]
    await first.run()
    record = json.loads(path.read_text())
    assert set(record["contracts"]) == set(CONTRACTS)
    assert record["contracts"] == first.contracts
    assert record["expected"] == {}
    assert set(record["arguments"]) == set(record["transactions"]) == set(record["blocks"])
    assert record["arguments"]["StakeRegistry"]["minimumRouter"] == str(10_000 * 10**18)
    findings = await verify(local.rpc, Deployment.load(path) or first.deployment)
    assert differing(findings) == []

    block = await local.rpc.block_number()
    again = launch(local, path)
    assert await again.prepare() == []
    await again.run()
    assert await local.rpc.block_number() == block


async def test_a_run_that_broke_off_is_taken_up(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, send = tmp_path / "manifest.json", Transactor.send
    for allowed in (1, 2, 3):
        sent = 0

        async def dying(
            self: Transactor, *args: Any, allowed: int = allowed, **options: Any
        ) -> Any:
            nonlocal sent
            sent += 1
            receipt = await send(self, *args, **options)
            if sent > allowed:  # mined, but nobody hears of it
                raise RuntimeError("killed")
            return receipt

        monkeypatch.setattr(Transactor, "send", dying)
        broken = launch(local, path)
        await broken.prepare()
        with pytest.raises(RuntimeError, match="killed"):
            await broken.run()
    monkeypatch.setattr(Transactor, "send", send)
    last = launch(local, path)
    await last.prepare()
    await last.run()
    deployment = Deployment.load(path)
    assert deployment is not None
    assert deployment.complete
    assert differing(await verify(local.rpc, deployment)) == []
    # Each of the eight contracts was created once; the rest is the factory and its money.
    nonce = int(await local.ask("eth_getTransactionCount", FAUCET.address, "latest"), 16)
    assert nonce <= 9


async def test_create_where_the_factory_is_refused(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = local.rpc.once

    async def strict(method: str, *params: Any) -> Any:
        if method == "eth_sendRawTransaction" and params[0] == "0x" + FACTORY_TRANSACTION.hex():
            raise RpcFailureError(-32000, "only replay-protected (EIP-155) transactions allowed")
        return await once(method, *params)

    monkeypatch.setattr(local.rpc, "once", strict)
    path, said = tmp_path / "manifest.json", list[str]()
    made = launch(local, path, said)
    await made.prepare()
    send, sent = Transactor.send, 0

    async def dying(self: Transactor, *args: Any, **options: Any) -> Any:
        nonlocal sent
        sent += 1
        receipt = await send(self, *args, **options)
        if sent == 4:
            raise RuntimeError("killed")
        return receipt

    monkeypatch.setattr(Transactor, "send", dying)
    with pytest.raises(RuntimeError):
        await made.run()
    assert any("CREATE instead" in text for text in said)
    monkeypatch.setattr(Transactor, "send", send)
    resumed = launch(local, path)
    await resumed.prepare()
    assert resumed.method == "create"
    await resumed.run()
    deployment = Deployment.load(path)
    assert deployment is not None
    assert deployment.method == "create"
    assert differing(await verify(local.rpc, deployment)) == []
    nonce = int(await local.ask("eth_getTransactionCount", FAUCET.address, "latest"), 16)
    assert nonce == 8


async def test_the_governor_gets_everything_in_two_steps(local: Any, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    made = launch(local, path, governor=GOVERNOR.address)
    prospects = await made.prepare()
    assert [p.label for p in prospects[-3:]] == [f"{name} to its governor" for name in PROTOCOL]
    await made.run()
    findings = await verify(local.rpc, made.deployment)
    assert differing(findings) == []
    assert sum("has yet to accept" in finding.detail for finding in findings) == 3
    assert await launch(local, path, governor=GOVERNOR.address).prepare() == []

    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01)
    await transactor.send(FAUCET, GOVERNOR.address, b"", value=10**18)
    for name in PROTOCOL:
        call = interface(name).functions["acceptOwnership"].call()
        await transactor.send(GOVERNOR, made.contracts[name], call)
    findings = await verify(local.rpc, made.deployment)
    assert differing(findings) == []
    assert not any("has yet to accept" in finding.detail for finding in findings)
    with pytest.raises(NeedsOperatorError, match="only its owner") as caught:
        await launch(local, path, governor="0x" + "44" * 20).prepare()
    assert caught.value.code == "not_owner"


async def test_what_was_changed_is_named(local: Any, tmp_path: Path) -> None:
    made = launch(local, tmp_path / "manifest.json")
    await made.prepare()
    await made.run()
    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01)

    async def change(contract: str, function: str, *args: Any) -> None:
        call = interface(contract).functions[function].call(*args)
        await transactor.send(FAUCET, made.contracts[contract], call)

    async def found() -> list[str]:
        return differing(await verify(local.rpc, made.deployment))

    await change("PaymentVault", "setFees", 100, 150)
    assert await found() == ["PaymentVault.fees"]
    await change("StakeRegistry", "setMinimumStake", 2, 10**18)
    await change("JobRegistry", "transferOwnership", GOVERNOR.address)
    assert await found() == [
        "StakeRegistry.minimumStake(2)", "JobRegistry pending owner", "PaymentVault.fees"
    ]  # fmt: skip
    other = await transactor.send(FAUCET, None, interface("StakeRegistry").creation())
    await change("StakeRegistry", "upgradeToAndCall", other.created, b"")
    assert "StakeRegistry implementation" in await found()
    made.deployment.implementations["JobRegistry"] = made.contracts["INFR"]
    assert "JobRegistry implementation code" in await found()
    del made.deployment.contracts["INFR"]
    assert "INFR code" in await found()


async def test_other_settings_are_refused(local: Any, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    made = launch(local, path)
    await made.prepare()
    await made.run()
    with pytest.raises(NeedsOperatorError, match="challengeWindow_ 90 not 60") as caught:
        await launch(local, path, config={"challenge_window_s": 60}).prepare()
    assert caught.value.code == "deployment_differs"
    with pytest.raises(NeedsOperatorError, match="salt"):
        await launch(local, path, salt="x").prepare()
    transactor = Transactor(local.rpc, CHAIN, poll_s=0.01)
    other = await transactor.send(FAUCET, None, interface("USDC").creation(FAUCET.address))
    with pytest.raises(NeedsOperatorError, match="usdc_"):
        await launch(local, path, usdc=other.created).prepare()
    made.deployment.arguments.clear()  # as a node's own record, which has none
    made.deployment.save(path)
    with pytest.raises(NeedsOperatorError, match="has USDC"):
        await launch(local, path, usdc=other.created).prepare()


async def test_usdc_must_be_usdc(local: Any, tmp_path: Path) -> None:
    made = launch(local, tmp_path / "one.json")
    await made.prepare()
    await made.run()
    usdc, infr = made.contracts["USDC"], made.contracts["INFR"]
    for wrong, words in (("0x" + "55" * 20, "no contract"), (infr, "18 decimals"),
                         (made.contracts["JobRegistry"], "no token")):  # fmt: skip
        with pytest.raises(NeedsOperatorError, match=words) as caught:
            await launch(local, tmp_path / "two.json", usdc=wrong).prepare()
        assert caught.value.code == "usdc_unusable"
    public = launch(local, tmp_path / "two.json")
    public.deployment.chain_id = 8453
    with pytest.raises(NeedsOperatorError, match="must be named"):
        await public.prepare()
    second = launch(local, tmp_path / "two.json", usdc=usdc, salt="second")
    assert "USDC" not in [p.label for p in await second.prepare()]
    await second.run()
    assert second.contracts["USDC"] == usdc
    assert second.contracts["INFR"] != infr
    findings = await verify(local.rpc, second.deployment)
    assert differing(findings) == []
    assert any(f.what == "USDC decimals" for f in findings)


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
    (home / "half.json").write_text(json.dumps(record | {"contracts": {}}))
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
    poor = launch(local, tmp_path / "m.json")
    poor._signer = Signer.from_hex("44" * 32)
    await poor.prepare()
    with pytest.raises(ChainError):
        await poor.run()
