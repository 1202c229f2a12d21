"""Official models of a development chain: set once, and left to the governor after that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infera.config import shipped
from infera.errors import NeedsOperatorError
from infera.events import ProgressMade
from infera_plugins.chains.evm.config import EvmConfig, Official
from infera_plugins.chains.evm.deployment.seeding import seed
from infera_plugins.engines.exact.config import ModelEntry
from infera_plugins.engines.exact.engine import locate
from infera_plugins.engines.exact.model import load_model

if TYPE_CHECKING:
    from pathlib import Path

USDC = 1_000_000
OLD, NEW = b"\7" * 32, b"\10" * 32


def official(model: bytes = OLD, **changes: Any) -> dict[str, Any]:
    prices = {"max_price_in": 10, "max_price_out": 20}
    seats = {"subsidy_rate": 100, "min_seats": 1, "max_seats": 2, "budget_usdc": 3}
    return {"model": "0x" + model.hex(), "uri": "here:it", **prices, **seats, **changes}


def told(net: Any, text: str) -> list[str]:
    return [e.text for e in net.said if isinstance(e, ProgressMade) and text in e.text]


async def nonce(net: Any) -> int:
    signer = net.context.keys.get("deployer").address
    return int(await net.chain.rpc.read("eth_getTransactionCount", signer, "latest"), 16)


async def test_a_model_is_made_official_once(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, official={"bird": official()}) as net:
        model = await net.chain.models.official_model(OLD)
        assert (model.name, model.version, model.incentive) == ("bird", 1, True)
        assert (model.max_price_in, model.max_price_out, model.stake_ppm) == (10, 20, 0)
        pool = await net.chain.seats.pool(OLD)
        assert (pool.rate, pool.min_seats, pool.max_seats, pool.budget) == (100, 1, 2, 3 * USDC)
        assert await net.chain.models.manifests(OLD) != []
        assert told(net, "made bird official")
        sent = await nonce(net)
    # Neither again, nor on other terms: the rest is the governor's.
    for _ in range(2):
        async with run_chain(tmp_path, official={"bird": official(max_price_in=11)}) as net:
            assert await nonce(net) == sent
            model = await net.chain.models.official_model(OLD)
            assert model.max_price_in == 10
    async with run_chain(tmp_path) as net:
        governor = net.context.keys.get("deployer")
        await net.chain.transact(governor, "ModelRegistry", "retireModel", OLD)
        sent = await nonce(net)
    async with run_chain(tmp_path, official={"bird": official()}) as net:
        assert await net.chain.models.official() == []
        assert await nonce(net) == sent


async def test_money_that_came_before_a_power_cut_is_not_paid_twice(
    run_chain: Any, tmp_path: Path
) -> None:
    async with run_chain(tmp_path) as net:
        governor, chain = net.context.keys.get("deployer"), net.chain
        await chain.transact(governor, "USDC", "mint", governor.address, 3 * USDC)
        await chain.seats.fund(governor, OLD, 3 * USDC)
    async with run_chain(tmp_path, official={"bird": official()}) as net:
        assert (await net.chain.seats.pool(OLD)).budget == 3 * USDC
        assert await net.chain.models.resolve("bird") == (OLD, 1)


async def test_new_weights_take_the_name_over(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, official={"bird": official()}):
        pass
    async with run_chain(tmp_path, official={"bird": official(NEW)}) as net:
        assert await net.chain.models.resolve("bird") == (NEW, 3)  # freed in between
        assert [m.model_id for m in await net.chain.models.official()] == [NEW]
        assert (await net.chain.seats.pool(NEW)).budget == 3 * USDC
    # Back to the old ones: they were official once, and are not made so again.
    async with run_chain(tmp_path, official={"bird": official()}) as net:
        assert await net.chain.models.resolve("bird") == (NEW, 3)


async def test_who_cannot_seed_says_so(run_chain: Any, tmp_path: Path) -> None:
    async with run_chain(tmp_path, fund={"other": {}}) as net:
        wanted = {"bird": Official.model_validate(official())}
        chain, other = net.chain, net.context.keys.get("other")
        said: list[str] = []
        await seed(chain, other, wanted, said.append)
        owner = net.context.keys.get("deployer").address
        assert said.pop() == f"bird is not official: that is for {owner} to decide now"
        whole = chain.contracts
        chain.contracts = {n: a for n, a in whole.items() if n != "HotPool"}
        await seed(chain, other, wanted, said.append)
        assert "a fresh home has those that do" in said.pop()
        chain.contracts, chain.domain = whole, replace(chain.domain, chain_id=8453)
        with pytest.raises(NeedsOperatorError, match="this is chain 8453"):
            await seed(chain, other, wanted, said.append)
        assert said == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"min_seats": 3}, "min_seats"),
        ({"min_seats": 0, "max_seats": 0}, "max_seats of 1"),
        ({"uri": ""}, "at least 1 character"),
    ],
)
def test_terms_that_no_contract_takes(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        EvmConfig.model_validate({"official": {"bird": official(**wrong)}})


def test_the_shipped_network_names_the_shipped_model() -> None:
    (chain,) = yaml.safe_load(shipped("devnet").read_text())["chains"]
    entry = chain["official"]["first-light"]
    folder, name = locate(ModelEntry(path=entry["uri"], name=None))
    assert name == "first-light"
    assert entry["model"] == "0x" + load_model(folder, name).info.model_id.hex()
