"""Providers' scores on the chain, and the draw that follows from them."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infera.draws import draw, randomness
from infera.errors import ChainError, ProtocolError
from infera.protocol.batches import Batch, SettledJob, Totals, build_batch
from infera.services.reputation import NEUTRAL_PPM, Report, counts, distrust
from infera.types import OperatorRole, Outcome, Tier

sys.path.insert(0, str(Path(__file__).parent))

from deploying import put_reputation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera.keys import Signer
    from infera.services.reputation import ReputationBook
    from infera_plugins.chains.evm.chain import EvmChain

INFR = 10**18
JOBS = 400
DAY = 86_400


@dataclass
class Net:
    """A chain with reputation, staked operators and one committed batch."""

    chain: EvmChain
    keys: dict[str, Signer]
    batch: Batch
    block: int

    @property
    def book(self) -> ReputationBook:
        assert self.chain.reputation is not None
        return self.chain.reputation

    @property
    def providers(self) -> list[str]:
        return [self.keys[name].address for name in ("provider", "provider2")]

    async def later(self, seconds: int) -> int:
        """Let time pass; returns the newest block."""
        await self.chain.rpc.once("evm_increaseTime", hex(seconds))
        await self.chain.rpc.once("evm_mine")
        return await self.chain.block_number()

    def report(self, position: int, outcome: Outcome) -> Report:
        leaf, proof = self.batch.prove_job(position)
        router = self.keys["router"].address
        return Report(router, 0, position, proof.count, tuple(proof.siblings), leaf, outcome)

    async def drawn(self, block: int) -> tuple[list[int], dict[str, int]]:
        rand = await randomness(self.chain, self.batch.header.jobs_root, self.block)
        assert rand is not None
        found = await draw(self.chain, rand, block, self.providers)
        return found.sampled(self.batch.jobs), dict(found.rates)


@asynccontextmanager
async def network(run_chain: Any, home: Path) -> AsyncIterator[Net]:
    names = ("router", "provider", "provider2", "validator", "validator2")
    async with run_chain(home, fund={name: {} for name in names}) as running:
        chain: EvmChain = running.chain
        keys = {name: running.context.keys.get(name) for name in names}
        governor = running.context.keys.get("deployer")
        for name, signer in keys.items():
            role = OperatorRole[name.rstrip("2").upper()]
            await chain.register_operator(signer, role, signer.address, 10_000 * INFR, "")
        await put_reputation(chain, governor)
        jobs = [
            SettledJob(
                ticket=n.to_bytes(32, "big"),
                receipt=bytes(32),
                account=keys["router"].address,
                grant=bytes(32),
                provider=keys["provider" if n % 2 else "provider2"].address,
                cost=1_000,
                tier=Tier.OPTIMISTIC,
            )
            for n in range(JOBS)
        ]
        batch = build_batch(keys["router"].address, 0, jobs, Totals())
        net = Net(chain, keys, batch, 0)
        for provider in net.providers:
            await net.book.register(keys["router"], provider)
        await net.later(200 * DAY)
        net.block = (await chain.commit_batch(keys["router"], batch.header)).block
        await net.later(1)
        yield net


async def test_everyone_draws_the_same_while_reputation_changes(
    run_chain: Any, tmp_path: Path
) -> None:
    async with network(run_chain, tmp_path) as net:
        sampled, rates = await net.drawn(net.block)
        assert rates == dict.fromkeys(net.providers, 52_500)  # tenured, and half of it is missing
        wrong = [net.report(n, Outcome.MISMATCH) for n in range(1, 12, 2)]
        assert await net.book.report(net.keys["validator"], wrong) == 6
        newest = await net.later(30 * DAY)

        assert await net.drawn(net.block) == (sampled, rates)
        after, raised = await net.drawn(newest)
        assert raised[net.providers[0]] > rates[net.providers[0]]
        assert raised[net.providers[1]] == rates[net.providers[1]]
        # What is read at the newest block is another set: the point of reading at a fixed one.
        assert set(sampled) < set(after)


async def test_stakes_are_those_of_the_block(run_chain: Any, tmp_path: Path) -> None:
    async with network(run_chain, tmp_path) as net:
        role, signer = OperatorRole.VALIDATOR, net.keys["validator"]
        before = await net.chain.active_stakes(role, net.block)
        assert before == {
            net.keys[name].address: 10_000 * INFR for name in ("validator", "validator2")
        }
        await net.chain.register_operator(signer, role, signer.address, 5 * INFR, "")
        unbonding = net.keys["validator2"]
        await net.chain.transact(unbonding, "StakeRegistry", "unbond", int(role), INFR)
        assert await net.chain.active_stakes(role, net.block) == before
        newest = await net.chain.block_number()
        assert await net.chain.active_stakes(role, newest) == {signer.address: 10_005 * INFR}


async def test_a_mismatch_lowers_the_score_and_raises_the_rate(
    run_chain: Any, tmp_path: Path
) -> None:
    async with network(run_chain, tmp_path) as net:
        provider, other = net.providers
        before = await net.book.standing(provider)
        assert (before.score_ppm, before.upheld, before.mismatches) == (NEUTRAL_PPM, 0, 0)
        new = await net.book.report(
            net.keys["validator"],
            [net.report(0, Outcome.UPHELD), net.report(1, Outcome.MISMATCH)],
        )
        assert new == 2
        rule = await net.chain.call("Reputation", "rule")
        lost = NEUTRAL_PPM * rule["mismatchWeight"] // 1_000_000
        gained = NEUTRAL_PPM * rule["upheldWeight"] // 1_000_000
        after = await net.book.standing(provider)
        assert (after.score_ppm, after.mismatches) == (NEUTRAL_PPM - lost, 1)
        assert after.sampling_rate_ppm > before.sampling_rate_ppm
        assert (await net.book.standing(other)).score_ppm == NEUTRAL_PPM + gained
        assert distrust(after.score_ppm) == pytest.approx(lost / NEUTRAL_PPM)
        assert (await net.book.standing(provider, net.block)).score_ppm == before.score_ppm


async def test_a_job_counts_once(run_chain: Any, tmp_path: Path) -> None:
    async with network(run_chain, tmp_path) as net:
        first = net.report(1, Outcome.MISMATCH)
        assert await net.book.report(net.keys["validator"], [first]) == 1
        for again in (first, net.report(1, Outcome.UPHELD)):
            for name in ("validator", "validator2"):
                with pytest.raises(ChainError) as refused:
                    await net.book.report(net.keys[name], [again])
                assert refused.value.revert == "CheckDesk_NothingNew()"
        # Beside a new one it is passed over.
        both = [first, net.report(2, Outcome.UPHELD)]
        assert await net.book.report(net.keys["validator2"], both) == 1
        assert (await net.book.standing(net.providers[0])).mismatches == 1


async def test_what_decides_nothing_is_not_reported(run_chain: Any, tmp_path: Path) -> None:
    assert [counts(outcome) for outcome in Outcome] == [True, True, False]
    async with network(run_chain, tmp_path) as net:
        with pytest.raises(ProtocolError, match="only upheld checks and mismatches"):
            await net.book.report(net.keys["validator"], [net.report(1, Outcome.UNDECIDED)])
        # And where somebody sends it by hand, the contract refuses a provider's "no" too.
        for finding in (3, 4):
            row = net.report(1, Outcome.UPHELD)
            report = (row.router, 0, (1,), (row.leaf,), (finding,), row.siblings)
            with pytest.raises(ChainError, match="CheckDesk_NothingDecided"):
                await net.chain.transact(net.keys["validator"], "CheckDesk", "report", [report])
        assert (await net.book.standing(net.providers[0])).score_ppm == NEUTRAL_PPM


async def test_only_validators_report(run_chain: Any, tmp_path: Path) -> None:
    async with network(run_chain, tmp_path) as net:
        with pytest.raises(ChainError, match="CheckDesk_NotValidator"):
            await net.book.report(net.keys["router"], [net.report(1, Outcome.MISMATCH)])


def test_being_new_costs_nothing_with_routers() -> None:
    assert distrust(NEUTRAL_PPM) == distrust(1_000_000) == 0.0
    assert distrust(0) == 1.0
    assert distrust(250_000) == 0.5
