"""Deploying, finding again, and refusing what does not fit together."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from blockbuster import blockbuster_ctx

from infera.errors import ChainUnavailableError, NeedsOperatorError, TransientError
from infera.events import ProgressMade
from infera.keys import KeyStore
from infera_plugins.chains.evm import session
from infera_plugins.chains.evm.config import CORE, OTHERS, EvmConfig, Funds
from infera_plugins.chains.evm.deployment import faucet, terms
from infera_plugins.chains.evm.deployment.manifest import Deployment
from infera_plugins.chains.evm.transactions import Transactor

if TYPE_CHECKING:
    from pathlib import Path

INFR = 10**18
EVERYTHING = {*CORE, *OTHERS} - {"DisputeManager", "Buyback"}
"""What a development chain gets: no step verifier exists, and there is no market."""


async def test_a_fresh_home_gets_everything(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, fund={"router": {}, "account": {"usdc": 5, "infr": 0}}) as net:
        chain, keys = net.chain, net.context.keys
        assert set(chain.contracts) == EVERYTHING
        assert chain.rpc_url is None
        assert chain.domain.chain_id == 31337
        assert chain.domain.verifying_contract == chain.contracts["JobRegistry"]
        router, account = keys.get("router").address, keys.get("account").address
        assert await chain.infr_balance(router) == 1_000_000 * INFR
        assert await chain.usdc_balance(router) == 10_000 * 10**6
        assert await chain.infr_balance(account) == 0
        assert await chain.usdc_balance(account) == 5 * 10**6
        assert await chain.rpc.balance(account) == 100 * INFR
        assert await chain.call("JobRegistry", "challengeWindow") == 90
        assert await chain.call("PaymentVault", "owner") == keys.get("deployer").address
        told = [event.text for event in net.said if isinstance(event, ProgressMade)]
        assert told[0] == "deploying the contracts"
        assert sum("stands at" in text for text in told) == len(EVERYTHING)
    record = json.loads((tmp_path / "contracts.json").read_text())
    assert record["contracts"] == dict(chain.contracts)
    assert set(record["funded"].values()) == {"router", "account"}


async def test_nothing_blocks_the_event_loop(run_chain: Any, tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")  # the key store's own files are not this test's matter
    for name in ("router", "deployer"):
        keys.create(name)
    with blockbuster_ctx("infera_plugins.chains"):
        async with run_chain(tmp_path, fund={"router": {}}) as net:
            router = net.context.keys.get("router")
            await net.chain.deposit(router, 5)
            assert await net.chain.free_balance(router.address) == 5


async def test_keys_named_later_are_funded_later_and_once(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, fund={"one": {}}):
        pass
    async with run_chain(tmp_path, fund={"one": {}, "two": {}}) as net:
        for name in ("one", "two"):
            address = net.context.keys.get(name).address
            assert await net.chain.infr_balance(address) == 1_000_000 * INFR
        block = await net.chain.block_number()
    async with run_chain(tmp_path, fund={"one": {}, "*": {"infr": 3}}) as net:
        assert await net.chain.infr_balance(address) == 1_000_000 * INFR
        assert await net.chain.block_number() >= block
        await net.chain.give("0x" + "77" * 20, Funds(infr=2, usdc=0))
        assert await net.chain.infr_balance("0x" + "77" * 20) == 2 * INFR


async def test_a_broken_off_deployment_is_taken_up_again(
    run_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, sent = Transactor._submit, 0

    async def dying(self: Transactor, *args: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent > 20:
            raise ChainUnavailableError("the power went out")
        return await submit(self, *args)

    monkeypatch.setattr(Transactor, "_submit", dying)
    with pytest.raises(TransientError, match="power"):
        async with run_chain(tmp_path):
            pass
    before = json.loads((tmp_path / "contracts.json").read_text())
    assert not before["finished"]
    monkeypatch.setattr(Transactor, "_submit", submit)
    async with run_chain(tmp_path) as net:
        after = json.loads((tmp_path / "contracts.json").read_text())
        assert after["contracts"] == dict(net.chain.contracts)
        for label, address in before["expected"].items():
            name = label.removesuffix(" implementation")
            where = "contracts" if label == name else "implementations"
            assert after[where][name] == address
        assert after["finished"]
        await net.chain.minimum_stake(2)


async def test_a_chain_made_anew_is_deployed_to_anew(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, fund={"one": {}}):
        pass
    async for path in anyio.Path(tmp_path).glob("chain.db*"):
        await path.unlink()
    async with run_chain(tmp_path, fund={"one": {}}) as net:
        assert await net.chain.minimum_stake(2) == 10_000 * INFR
        address = net.context.keys.get("one").address
        assert await net.chain.infr_balance(address) == 1_000_000 * INFR


async def test_a_record_of_another_chain_is_refused(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path):
        pass
    path = tmp_path / "contracts.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"chain_id": 8453}))
    with pytest.raises(NeedsOperatorError, match="about chain 8453"):
        async with run_chain(tmp_path):
            pass
    path.write_text("{")
    with pytest.raises(NeedsOperatorError, match="cannot be read"):
        async with run_chain(tmp_path):
            pass
    ghost = dict.fromkeys(record["contracts"], "0x" + "00" * 19 + "99")
    path.write_text(json.dumps(record | {"contracts": ghost}))
    with pytest.raises(NeedsOperatorError, match="there is no code"):
        async with run_chain(tmp_path):
            pass


async def test_named_contracts_must_stand(run_chain: Any, tmp_path: Path) -> None:
    home = tmp_path / "first"
    home.mkdir()
    async with run_chain(home) as net:
        contracts = dict(net.chain.contracts)
    async with run_chain(home, contracts=contracts) as net:
        assert await net.chain.minimum_stake(1) == 1_000 * INFR
        with pytest.raises(NeedsOperatorError, match="play money"):
            await net.chain.give("0x" + "77" * 20)
    wrong = contracts | {"INFR": "0x" + "99" * 20}
    with pytest.raises(NeedsOperatorError, match="INFR"):
        async with run_chain(home, contracts=wrong):
            pass


async def test_nothing_is_deployed_unasked(run_chain: Any, tmp_path: Path) -> None:
    with pytest.raises(NeedsOperatorError, match="no contracts are known"):
        async with run_chain(tmp_path, deploy=False):
            pass


async def test_public_chains_get_no_play_money(
    run_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (faucet, session, terms):
        monkeypatch.setattr(module, "DEVELOPMENT_CHAINS", frozenset())
    with pytest.raises(NeedsOperatorError, match=r"usdc, launch\.distribution\.team") as caught:
        async with run_chain(tmp_path, chain_id=8453):
            pass
    assert caught.value.code == "deployment_settings_missing"
    anybody = "0x" + "11" * 20
    split = dict.fromkeys(("team", "investors", "public_launch", "foundation"), anybody)
    launch = {"distribution": split, "market": {"pair_factory": anybody}}
    with pytest.raises(NeedsOperatorError, match="cannot pay for gas"):
        async with run_chain(tmp_path, chain_id=8453, usdc=anybody, launch=launch):
            pass


async def test_an_unreachable_node_is_tried_again_by_the_kernel(
    run_chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_sleep(_: float) -> None: ...

    monkeypatch.setattr(session, "Rpc", partial(session.Rpc, sleep=no_sleep))
    for url in ("ws://127.0.0.1:1", f"ipc://{tmp_path}/nobody.ipc"):
        with pytest.raises(TransientError):
            async with run_chain(tmp_path, rpc=url):
                pass


def test_records_round_trip(tmp_path: Path) -> None:
    made = Deployment(1, "0xaa", 3, {"INFR": "0x1"}, {}, {"INFR": "0x2"}, {"0x3": "router"})
    made.save(tmp_path / "contracts.json")
    assert Deployment.load(tmp_path / "contracts.json") == made
    assert not made.complete
    assert Deployment.load(tmp_path / "none.json") is None
    assert [p.name for p in tmp_path.iterdir()] == ["contracts.json"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rpc": "ftp://x"}, "rpc:"),
        ({"thaw_period_s": 90}, "longer than challenge_window_s"),
        ({"contracts": {"INFR": "0x" + "11" * 20}}, "missing USDC"),
        ({"contracts": dict.fromkeys(CORE, "0x12")}, "INFR"),
        ({"contracts": dict.fromkeys((*CORE, "Nope"), "0x" + "11" * 20)}, "unknown Nope"),
        ({"nonsense": 1}, "nonsense"),
        ({"fund": {"a": {"btc": 1}}}, "btc"),
        ({"confirmations": -1}, "confirmations"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EvmConfig.model_validate(settings)


def test_good_settings() -> None:
    assert EvmConfig().may_deploy
    assert not EvmConfig(rpc="https://node").may_deploy
    assert EvmConfig(rpc="/run/geth.ipc", deploy=True).may_deploy
    assert not EvmConfig(rpc="wss://node").embedded
