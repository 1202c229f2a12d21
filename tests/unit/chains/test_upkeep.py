"""Upkeep on the embedded chain, by one keeper and by two."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from eth_abi.abi import encode

from infera.errors import NeedsOperatorError
from infera.events import UpkeepDone, UpkeepRefused
from infera.types import OperatorRole
from infera_ext import keccak256
from infera_plugins.chains.evm.bindings.stake_registry import Repriced, StakeRegistry
from infera_plugins.roles.keeper.config import KeeperConfig
from infera_plugins.roles.keeper.role import KeeperRole

sys.path.insert(0, str(Path(__file__).parent))

from deploying import know, put_reputation, stand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera.events import Event
    from infera.keys import Signer
    from infera_plugins.chains.evm.chain import EvmChain

INFR = 10**18
DAY = 86_400
PRICE = 50_000_000  # 0.5 USD, in the feed's eight decimals


@dataclass
class Net:
    """A chain with a price feed and funded keepers."""

    chain: EvmChain
    context: Any
    said: list[Event]
    governor: Signer
    keepers: dict[str, KeeperRole] = field(default_factory=dict)

    def keeper(self, name: str = "keeper", **settings: Any) -> KeeperRole:
        config = KeeperConfig.model_validate({"key": name, **settings})
        return KeeperRole(config, self.context)

    async def later(self, seconds: int) -> None:
        await self.chain.rpc.once("evm_increaseTime", hex(seconds))
        await self.chain.rpc.once("evm_mine")

    async def price(self, answer: int, age_s: int = 0) -> None:
        at = await self.chain.timestamp() - age_s
        await self.chain.transact(self.governor, "DevPriceFeed", "set", answer, at)

    async def repriced(self) -> int:
        """How often the rate was recalculated."""
        query = {
            "address": self.chain.contracts["StakeRegistry"],
            "fromBlock": "0x0",
            "topics": ["0x" + Repriced.abi().topic.hex()],
        }
        return len(await self.chain.rpc.read("eth_getLogs", query))

    def done(self, task: str) -> list[UpkeepDone]:
        return [e for e in self.said if isinstance(e, UpkeepDone) and e.task == task]

    def refused(self) -> list[UpkeepRefused]:
        return [e for e in self.said if isinstance(e, UpkeepRefused)]


@asynccontextmanager
async def network(run_chain: Any, home: Path) -> AsyncIterator[Net]:
    names = ("keeper", "keeper2", "router", "provider")
    async with run_chain(home, fund={name: {} for name in names}) as running:
        chain: EvmChain = running.chain
        governor = running.context.keys.get("deployer")
        feed = await stand(chain, governor, "DevPriceFeed", governor.address, 8, PRICE)
        know(chain, "DevPriceFeed", feed)
        await chain.transact(governor, "StakeRegistry", "setFeed", feed, 2 * DAY)
        await put_reputation(chain, governor)
        running.context.chains["evm"] = chain
        running.said.clear()
        yield Net(chain, running.context, running.said, governor)


@pytest.fixture
async def net(run_chain: Any, tmp_path: Path) -> AsyncIterator[Net]:
    async with network(run_chain, tmp_path) as net:
        yield net


async def test_the_price_is_refreshed_once_a_week(net: Net) -> None:
    keeper = net.keeper()
    before = await net.repriced()
    await keeper.look("prices")  # the week is not over
    assert net.said == []
    for week in range(1, 3):
        await net.later(7 * DAY)
        await net.price(PRICE * week)
        for _ in range(3):
            await keeper.look("prices")
        assert await net.repriced() == before + week
        assert len(net.done("prices")) == week
    assert net.refused() == []


async def test_two_keepers_refresh_it_once(net: Net) -> None:
    keepers = [net.keeper("keeper"), net.keeper("keeper2")]
    before = await net.repriced()
    for week in range(1, 4):
        await net.later(7 * DAY)
        await net.price(PRICE)
        async with anyio.create_task_group() as tasks:
            for keeper in keepers:
                tasks.start_soon(keeper.look, "prices")
        assert await net.repriced() == before + week
        assert len(net.done("prices")) == week
    # Whoever came second saw that nothing was due any more: no error.
    assert net.refused() == []


@pytest.mark.parametrize(
    ("answer", "age_s", "reason"),
    [(0, 0, "StakePricer_NotPositive"), (PRICE, 2 * DAY + 60, "StakePricer_Stale")],
)
async def test_a_bad_price_is_an_event_and_tried_again_later(
    net: Net, monkeypatch: pytest.MonkeyPatch, answer: int, age_s: int, reason: str
) -> None:
    keeper = net.keeper(interval_s=60, longest_wait_s=200)
    rate = (await StakeRegistry(net.chain).rate()).current
    await net.later(7 * DAY)
    await net.price(answer, age_s)
    clock = Clock()
    monkeypatch.setattr("infera_plugins.roles.keeper.role.anyio.current_time", clock)
    nonce = await sent(net, "keeper")
    waits = []
    for _ in range(4):
        await keeper.look("prices")
        await keeper.look("prices")  # still waiting: not tried
        (pause,) = keeper._pauses.values()
        waits.append(pause.wait_s)
        clock.now = pause.until
    assert waits == [60, 120, 200, 200]
    (refused,) = net.refused()
    assert refused.reason.startswith(reason)
    assert refused.line().startswith(f"waiting    prices: {reason}")
    assert (await StakeRegistry(net.chain).rate()).current == rate
    assert await sent(net, "keeper") == nonce  # refused before it was sent: it cost no gas

    await net.price(PRICE)
    await keeper.look("prices")
    assert len(net.done("prices")) == 1
    assert keeper._pauses == {}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def sent(net: Net, name: str) -> int:
    address = net.context.keys.get(name).address
    return int(await net.chain.rpc.read("eth_getTransactionCount", address, "latest"), 16)


async def test_what_is_too_dear_waits(net: Net) -> None:
    keeper = net.keeper(max_cost_eth=1e-12)
    before = await net.repriced()
    await net.later(7 * DAY)
    await net.price(PRICE)
    await keeper.look("prices")
    assert await net.repriced() == before
    (refused,) = net.refused()
    assert "its transaction costs 0.0" in refused.reason


async def test_tenure_begins_with_stake(net: Net) -> None:
    keeper = net.keeper()
    book = net.chain.reputation
    assert book is not None
    await keeper.look("tenure")
    assert net.said == []
    provider = net.context.keys.get("provider")
    await net.chain.register_operator(
        provider, OperatorRole.PROVIDER, provider.address, 10_000 * INFR, ""
    )
    await keeper.look("tenure")
    await net.later(60)
    await keeper.look("tenure")
    assert len(net.done("tenure")) == 1
    assert (await book.standing(provider.address)).tenure_s >= 60


async def test_fees_wait_until_they_are_worth_it(net: Net) -> None:
    # No fees have gathered: nothing is due, at any bound.
    await net.keeper(least_payout_usdc=0).look("fees")
    assert net.said == []


UNISWAP = Path(__file__).parents[3] / "contracts/node_modules/@uniswap/v3-core/artifacts/contracts"
TUNING = (56, 1_800, 1_800, 100, 100, 100_000_000, 1_000_000_000)


async def put_buyback(net: Net) -> None:
    """A buyback on a pool of the published bytecode, at a price and without any past."""
    path = UNISWAP / "UniswapV3Factory.sol" / "UniswapV3Factory.json"
    if not path.exists():
        pytest.skip("npm ci in contracts/ brings the published Uniswap bytecode")
    chain, sender = net.chain, net.chain.session.transactor
    code = bytes.fromhex(json.loads(path.read_text())["bytecode"][2:])
    factory = (await sender.send(net.governor, None, code)).created
    assert factory is not None
    pair = (chain.contracts["USDC"], chain.contracts["INFR"], 3_000)
    words = encode(["address", "address", "uint24"], pair)
    await sender.send(
        net.governor, factory, selector("createPool", "address,address,uint24") + words
    )
    answer = await chain.ask(factory, selector("getPool", "address,address,uint24") + words)
    at_one = encode(["uint160"], [2**96])
    await sender.send(
        net.governor, "0x" + answer[12:].hex(), selector("initialize", "uint160") + at_one
    )
    arguments = (net.governor.address, *pair[:2], factory, pair[2], TUNING)
    know(chain, "Buyback", await stand(chain, net.governor, "Buyback", *arguments))


def selector(name: str, types: str) -> bytes:
    return keccak256(f"{name}({types})".encode())[:4]


async def test_a_buyback_that_would_be_unsafe_is_one_line(net: Net) -> None:
    await put_buyback(net)
    keeper = net.keeper()
    net.said.clear()
    await keeper.look("buyback")
    assert net.said == []  # nothing has gathered
    buyback = net.chain.contracts["Buyback"]
    await net.chain.transact(net.governor, "USDC", "mint", buyback, 100_000_000)
    for _ in range(3):
        keeper._pauses = {place: replace(p, until=0.0) for place, p in keeper._pauses.items()}
        await keeper.look("buyback")
    (refused,) = net.refused()
    assert refused.reason == "Buyback_FewObservations(1, 1800)"
    assert await net.chain.usdc_balance(buyback) == 100_000_000


async def test_an_unknown_task_is_named(net: Net) -> None:
    with pytest.raises(NeedsOperatorError) as refused:
        net.keeper(tasks=["price"]).tasks()
    assert refused.value.code == "keeper_task_unknown"
    assert "did you mean 'prices'?" in str(refused.value)
    assert net.keeper(tasks=["prices"]).tasks() == ["prices"]
    assert {"prices", "fees", "tenure"} <= set(net.keeper().tasks())


async def test_a_chain_without_upkeep_says_so(net: Net) -> None:
    keeper = net.keeper()
    net.chain.upkeep = None
    with pytest.raises(NeedsOperatorError) as refused:
        keeper.tasks()
    assert refused.value.code == "keeper_no_upkeep"
