"""Every task of a keeper on the whole deployment: due, and done once though two keepers race."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.abc import Debit
from infera.events import UpkeepDone, UpkeepRefused
from infera.keys import KeyStore
from infera.protocol.batches import SettledJob, Totals, build_batch
from infera.protocol.messages import DemandSignal, KeyGrant
from infera.services.seats import Loadout
from infera.types import OperatorRole, Tier
from infera_plugins.chains.evm.bindings.ecosystem_vesting import EcosystemVesting
from infera_plugins.chains.evm.bindings.payment_vault import PaymentVault
from infera_plugins.roles.keeper.config import KeeperConfig
from infera_plugins.roles.keeper.role import KeeperRole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from infera.events import Event
    from infera.keys import Signer
    from infera_plugins.chains.evm.chain import EvmChain

INFR = 10**18
USDC = 1_000_000
DAY = 86_400
WINDOW = 90
MODEL = b"\7" * 32
NAMES = ("keeper", "keeper2", "router", "provider", "account")


@dataclass
class Net:
    """A whole deployment with an official model, funded keys and two keepers' worth of gas."""

    chain: EvmChain
    context: Any
    said: list[Event]

    def key(self, name: str) -> Signer:
        found: Signer = self.context.keys.get(name)
        return found

    async def later(self, seconds: int) -> None:
        await self.chain.rpc.once("evm_increaseTime", hex(seconds))
        await self.chain.rpc.once("evm_mine")

    async def race(self, task: str, **settings: Any) -> list[UpkeepDone]:
        """Two keepers look at once, and each again; what was done."""
        self.said.clear()
        keepers = [
            KeeperRole(KeeperConfig.model_validate({"key": name, **settings}), self.context)
            for name in ("keeper", "keeper2")
        ]
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                for keeper in keepers:
                    tasks.start_soon(keeper.look, task)
        assert [e for e in self.said if isinstance(e, UpkeepRefused)] == []
        done = [e for e in self.said if isinstance(e, UpkeepDone)]
        assert {e.task for e in done} <= {task}
        return done

    async def staked(self, *names: str) -> None:
        for name in names:
            role = OperatorRole.ROUTER if name == "router" else OperatorRole.PROVIDER
            key = self.key(name)
            await self.chain.register_operator(key, role, key.address, 10_000 * INFR, "ws://x")

    async def settle(self, cost: int) -> None:
        """One job of this cost, committed, final and debited."""
        chain, router, account = self.chain, self.key("router"), self.key("account")
        await chain.deposit(account, cost)
        await chain.lock(account, router.address, cost)
        now = await chain.timestamp()
        grant = KeyGrant(
            account=account.address, key_hash=bytes(31) + b"\1", routers=(router.address,),
            models=(), max_price_in=USDC, max_price_out=USDC, per_job_cap=cost, daily_cap=cost,
            total_cap=cost, not_before=now - 60, not_after=now + DAY, generation=0,
        )  # fmt: skip
        digest = grant.digest(chain.domain)
        job = SettledJob(
            ticket=b"\1" * 32, receipt=b"\2" * 32, account=account.address, grant=digest,
            provider=self.key("provider").address, cost=cost, tier=Tier.OPTIMISTIC,
        )  # fmt: skip
        batch = build_batch(router.address, 0, [job], Totals())
        await chain.commit_batch(router, batch.header)
        await self.later(WINDOW + 1)
        leaf, proof = batch.prove_debit(digest)
        row = Debit(
            grant, account.sign(digest), leaf.debited, leaf.router_fees, leaf.protocol_fees,
            proof.index, proof.siblings,
        )  # fmt: skip
        await chain.apply_debits(router, router.address, 0, [row])


@pytest.fixture
async def net(run_chain: Any, tmp_path: Path) -> AsyncIterator[Net]:
    reporter = KeyStore(tmp_path / "keys").create("keeper").address
    model = {"model": "0x" + MODEL.hex(), "uri": "here:it", "max_price_in": 1, "max_price_out": 1}
    seats = {"subsidy_rate": 200, "min_seats": 1, "max_seats": 2, "budget_usdc": 100}
    settings = {
        "fund": {name: {} for name in NAMES},
        "challenge_window_s": WINDOW,
        "official": {"bird": model | seats},
        "launch": {"distribution": {"reporter": reporter}},
    }
    async with run_chain(tmp_path, **settings) as running:
        running.context.chains["evm"] = running.chain
        yield Net(running.chain, running.context, running.said)


async def test_fees_are_paid_out(net: Net) -> None:
    await net.staked("router", "provider")
    await net.settle(100 * USDC)
    vault, treasury = PaymentVault(net.chain), net.key("deployer").address
    fees = sum(await vault.protocol_fees())
    assert fees == 1_500_000
    assert await net.race("fees", least_payout_usdc=1.6) == []
    before = await net.chain.usdc_balance(treasury)
    (done,) = await net.race("fees", least_payout_usdc=1.5)
    assert done.detail == "1.500000 USDC to the recipients"
    assert await net.chain.usdc_balance(treasury) == before + fees
    assert sum(await vault.protocol_fees()) == 0


async def _demand(net: Net, seats: int) -> None:
    market, router = net.chain.seats, net.key("router")
    assert market is not None
    epoch = await market.epoch()
    signal = DemandSignal(router.address, MODEL, epoch, epoch, seats)
    assert await market.signal_demand(router, [(signal, router.sign(signal.digest(market.domain)))])


async def _bid(net: Net, names: Sequence[str]) -> None:
    assert net.chain.seats is not None
    for name in names:
        loadout = Loadout(100, 8, (Tier.OPTIMISTIC,))
        await net.chain.seats.bid(net.key(name), MODEL, 100, loadout)


async def test_epochs_are_closed_and_seats_move(net: Net) -> None:
    market = net.chain.seats
    assert market is not None
    await net.staked("router", "provider", "account")
    assert await net.race("epochs") == []
    await _demand(net, 2)
    await net.later(60)
    assert len(await net.race("epochs")) == 1
    assert (await market.pool(MODEL)).seats == 2
    await _bid(net, ("provider", "account"))
    await _demand(net, 1)
    await net.later(60)
    assert len(await net.race("epochs")) == 1
    pool = await market.pool(MODEL)
    assert (pool.seats, pool.taken) == (1, 2)
    assert sum(seat.leaves_at != 0 for seat in await market.seats(MODEL)) == 1


async def test_a_stale_seat_is_evicted(net: Net) -> None:
    market = net.chain.seats
    assert market is not None
    await net.staked("provider")
    await _bid(net, ["provider"])
    assert await net.race("evictions") == []
    await net.later((await market.rules()).freshness + 1)
    (done,) = await net.race("evictions")
    assert "it is stale" in done.detail
    assert await market.seats(MODEL) == []


async def test_a_seat_whose_notice_is_over_is_freed(net: Net) -> None:
    market = net.chain.seats
    assert market is not None
    await net.staked("provider")
    await _bid(net, ["provider"])
    await market.give_notice(net.key("provider"), MODEL)
    assert await net.race("evictions") == []
    await net.later((await market.rules()).notice)
    (done,) = await net.race("evictions")
    assert "its notice is over" in done.detail
    assert await market.seats(MODEL) == []


async def test_tenure_begins_once(net: Net) -> None:
    book = net.chain.reputation
    assert book is not None
    await net.staked("provider", "account")
    assert len(await net.race("tenure")) == 2
    await net.later(60)
    assert await net.race("tenure") == []
    for name in ("provider", "account"):
        assert (await book.standing(net.key(name).address)).tenure_s >= 60


async def test_settled_volume_is_reported_by_the_reporter_and_sets_incentives_free(
    net: Net,
) -> None:
    await net.staked("router", "provider")
    await net.settle(100 * USDC)
    vesting, router = EcosystemVesting(net.chain), net.key("router").address
    assert await net.race("volume") == []  # it vouches for nobody
    assert await net.race("volume", routers=[router], least_payout_usdc=101) == []
    (done,) = await net.race("volume", routers=[router])
    assert done.detail == "100.000000 USDC settled so far"
    assert await vesting.volume() == 100 * USDC

    assert await net.race("release") == []
    await net.later(30 * DAY)
    timelock = net.chain.contracts["InferaTimelock"]
    before = await net.chain.infr_balance(timelock)
    (done,) = await net.race("release")
    released = await net.chain.infr_balance(timelock) - before
    assert released >= 1_000 * INFR
    assert done.detail == f"{released // INFR} INFR to the timelock"
