"""Routers that do wrong, and what it costs them; everybody else is paid to the micro-dollar."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import courts
import orjson
import pytest
from mortal_router import inflated
from small_network import DEADLINE_S, PLUGINS, Small, config, running

from infera.errors import ChainError, NeedsOperatorError
from infera.events import BatchCommitted, BatchesVoided, CourtActed, JobDelivered
from infera.protocol.batches import Batch, build_batch
from infera.protocol.messages import JobTicket
from infera.protocol.pricing import fees
from infera.state.tables import JobState, jobs
from infera.types import OperatorRole
from infera_plugins.roles.provider import claims
from infera_plugins.roles.router import settlement
from infera_plugins.roles.router.publication import Publication
from infera_plugins.roles.router.store import Store
from infera_plugins.roles.validator import prosecution

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera.services.court import Court

WINDOW_S = 3_600
"""Long: nothing becomes final before a test lets the time pass."""


@asynccontextmanager
async def network(
    make_node: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    validator: bool = False,
    providers: int = 2,
    patience_s: float = 60.0,
) -> AsyncIterator[Small]:
    """The small network with courts and a long window."""
    monkeypatch.setattr(prosecution, "_POLL_S", 0.1)
    text = config(providers, validator=validator)
    text = text.replace("kind: validator", f"evidence_timeout_s: {patience_s}\n  kind: validator")
    text = text.replace("challenge_window_s: 1", f"challenge_window_s: {WINDOW_S}")
    text = text.replace("thaw_period_s: 60", f"thaw_period_s: {4 * WINDOW_S}")
    async with running(make_node, text, providers=providers) as small:
        yield small


def court(small: Small) -> Court:
    found = small.chain.court
    assert found is not None
    return found


async def pass_time(small: Small, seconds: int) -> None:
    """Move the chain's clock."""
    chain: Any = small.chain
    await chain.rpc.once("evm_increaseTime", hex(seconds))
    await chain.rpc.once("evm_mine")


async def committed(small: Small, job_count: int) -> None:
    """Until that many jobs are in batches which the chain has."""
    router = small.address("router")
    count = 0
    with anyio.move_on_after(DEADLINE_S):
        while True:
            standing = await small.chain.batch_count(router)
            headers = [(await small.chain.batch(router, i))[0] for i in range(standing)]
            count = sum(header.count for header in headers)
            if count == job_count:
                return
            await anyio.sleep(0.02)
    raise AssertionError(f"{count} of {job_count} jobs are in batches that stand")


async def settled(small: Small) -> None:
    """Until every delivered job's money has arrived; then check where all of it is."""
    router, chain = small.address("router"), small.chain
    delivered = small.seen.all(JobDelivered)
    await committed(small, len(delivered))
    await pass_time(small, WINDOW_S + 1)
    owed: dict[str, int] = {}
    for event in delivered:
        owed[event.provider] = owed.get(event.provider, 0) + fees(event.cost).provider
    with anyio.fail_after(DEADLINE_S):
        for provider, net in owed.items():
            while await chain.claimed(router, provider) < net:  # noqa: ASYNC110
                await anyio.sleep(0.02)
    for provider, net in owed.items():
        assert await chain.claimed(router, provider) == net
    rows = await small.rows(jobs)
    batched = [row for row in rows if row.state == JobState.BATCHED]
    assert sorted(row.job_id.hex() for row in batched) == sorted(e.job_id for e in delivered)
    places = {(row.batch_index, row.leaf_index) for row in batched}
    assert len(places) == len(batched), "each job is in a batch once"
    spent = sum(event.cost for event in delivered)
    digests = {row.grant_digest for row in batched}
    assert sum([await chain.debited(router, digest) for digest in digests]) == spent
    count = await chain.batch_count(router)
    header, _, _ = await chain.batch(router, count - 1)
    assert header.debited == spent
    split = [fees(event.cost) for event in delivered]
    vault: Any = chain
    assert await vault.call("PaymentVault", "poolOf", router) == 0, "all of it is claimed"
    assert await vault.call("PaymentVault", "routerFeesOf", router) == sum(p.router for p in split)
    kept = sum(await vault.call("PaymentVault", "protocolFees"))
    assert kept == sum(part.protocol for part in split)
    account = small.caller.account
    free, lockup = await chain.free_balance(account), await chain.lockup(account, router)
    assert free + lockup.locked + spent == 500_000_000


class Liar:
    """A router whose batches are `inflated`, and which publishes what it committed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, publishes: bool = True) -> None:
        self.lying = False
        self.told: list[Batch] = []
        rebuilt = Publication.rebuilt

        async def show(publication: Publication, stored: Any) -> Batch:
            for lie in self.told:
                if lie.header == stored.header:
                    return lie
            return await rebuilt(publication, stored)

        monkeypatch.setattr(settlement, "build_batch", self.build)
        if publishes:
            monkeypatch.setattr(Publication, "rebuilt", show)

    def build(self, *args: Any, **kwargs: Any) -> Batch:
        """A lie is told once: what is voided is built anew, and right."""
        batch = build_batch(*args, **kwargs)
        if self.lying:
            self.lying = False
            batch = inflated(batch)
            self.told.append(batch)
        return batch


async def test_an_inflated_total_is_convicted_voided_and_committed_right(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = Liar(monkeypatch)
    async with network(make_node, monkeypatch, validator=True) as small:
        await small.ask("first")
        await committed(small, 1)
        router, validator = small.address("router"), small.address("validator")
        stake = await stake_of(small)
        held = await small.chain.infr_balance(validator)
        account = await small.chain.infr_balance(small.caller.account)
        liar.lying = True
        await small.ask("second")
        await small.seen.wait(CourtActed, lambda e: "is convicted over batch 1" in e.text)
        voided = await small.seen.wait(BatchesVoided)
        assert voided.index == 1
        again = await small.seen.wait(
            BatchCommitted, lambda e: e.index == 1, after=small.seen.events.index(voided)
        )
        assert again.jobs >= 1
        # A first offence that weighs 10 %: 40 % of it to the developer, 40 % to the validator.
        slashed = stake - await stake_of(small)
        assert slashed == stake // 10
        assert await small.chain.infr_balance(validator) == held + slashed * 4 // 10
        assert await small.chain.infr_balance(small.caller.account) == account + slashed * 4 // 10
        assert await court(small).epoch_of(router, 1) == 1
        await small.ask("third")
        await settled(small)


class Overcharger(Liar):
    """A router whose batches hold together, but charge more than was signed for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, more: int) -> None:
        self.more = more
        super().__init__(monkeypatch)

    def build(self, *args: Any, **kwargs: Any) -> Batch:
        if not self.lying:
            return build_batch(*args, **kwargs)
        self.lying = False
        router, index, settled, totals = args
        dearer = [replace(job, cost=job.cost + self.more) for job in settled]
        self.told.append(build_batch(router, index, dearer, totals))
        return self.told[-1]


@pytest.mark.parametrize(("more", "fault"), [(1, "cost"), (1_000_000, "ticket")])
async def test_a_charge_that_nobody_signed_is_convicted(
    make_node: Any, monkeypatch: pytest.MonkeyPatch, more: int, fault: str
) -> None:
    """Its leaves say nothing about it: ticket and receipt do."""
    router = Overcharger(monkeypatch, more)
    async with network(make_node, monkeypatch, validator=True) as small:
        stake = await stake_of(small)
        held = await small.chain.infr_balance(small.address("validator"))
        router.lying = True
        await small.ask("dear")
        await small.seen.wait(
            CourtActed, lambda e: e.text.endswith(f"is convicted over batch 0: {fault}")
        )
        assert (await small.seen.wait(BatchesVoided)).index == 0
        slashed = stake - await stake_of(small)
        assert slashed == stake // 4
        gain = await small.chain.infr_balance(small.address("validator")) - held
        assert gain == slashed * 4 // 10
        await settled(small)


async def stake_of(small: Small, name: str = "router") -> int:
    role = OperatorRole.ROUTER if name == "router" else OperatorRole.PROVIDER
    known = await small.chain.operator(small.address(name), role)
    assert known is not None
    return known.stake


# -- jobs left out


class Forgetful:
    """A router that leaves jobs out of its batches, as long as it forgets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forgets = True
        delivered = Store.delivered_jobs

        async def some(store: Store, limit: int) -> list[Any]:
            return [] if self.forgets else await delivered(store, limit)

        monkeypatch.setattr(Store, "delivered_jobs", some)


async def test_a_job_left_out_is_claimed_and_then_committed(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router answers with a batch: it has the bond, and the provider is paid as ever."""
    forgetful = Forgetful(monkeypatch)
    monkeypatch.setattr(claims, "_ROUND_S", 0.1)
    async with network(make_node, monkeypatch, providers=1) as small:
        router, provider = small.address("router"), small.address("provider-1")
        stake = await stake_of(small)
        held = await small.chain.infr_balance(provider)
        await small.ask("left out")
        await small.acknowledged()
        await pass_time(small, 60 + courts.INCLUSION_S + 5)
        await small.seen.wait(CourtActed, lambda e: "is in no batch: claimed" in e.text)
        assert await small.chain.infr_balance(provider) == held - courts.BOND
        bond = await small.chain.infr_balance(router)
        forgetful.forgets = False
        await small.seen.wait(CourtActed, lambda e: "shown in a batch" in e.text)
        assert await small.chain.infr_balance(router) == bond + courts.BOND
        assert await stake_of(small) == stake
        await settled(small)


async def test_a_router_that_answers_no_claim_pays_from_its_bond(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Forgetful(monkeypatch)
    monkeypatch.setattr(claims, "_ROUND_S", 0.1)
    async with network(make_node, monkeypatch, providers=1) as small:
        chain: Any = small.chain
        router, provider = small.node.context.keys.get("router"), small.address("provider-1")
        await chain.give(router.address)
        await chain._approve(router, "USDC", "PaymentVault", 5_000_000)
        await chain.transact(router, "PaymentVault", "depositBond", router.address, 5_000_000)
        stake = await stake_of(small)
        usdc, infr = await chain.usdc_balance(provider), await chain.infr_balance(provider)
        await small.ask("left out")
        [job] = small.seen.all(JobDelivered)
        await small.acknowledged()
        await pass_time(small, 60 + courts.INCLUSION_S + 5)
        await small.seen.wait(CourtActed, lambda e: "is in no batch: claimed" in e.text)
        await pass_time(small, courts.ANSWER_S + 5)
        await small.seen.wait(CourtActed, lambda e: "from the router's bond" in e.text)
        assert await chain.usdc_balance(provider) == usdc + fees(job.cost).provider
        slashed = stake - await stake_of(small)
        assert slashed == stake // 100
        # The provider is both the one harmed and the claimant: 40 % and 40 %; its bond came back.
        assert await chain.infr_balance(provider) == infr + 2 * (slashed * 4 // 10)


# -- leaves withheld


class Mute:
    """A router that answers no question about its leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Publication.page

        async def hidden(publication: Publication, index: int, start: int) -> Any:
            if self.mute:
                await anyio.sleep_forever()
            return await page(publication, index, start)

        self.mute = True
        monkeypatch.setattr(Publication, "page", hidden)


async def test_a_withheld_leaf_is_demanded_and_answered(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mute(monkeypatch)
    async with network(make_node, monkeypatch, validator=True, patience_s=0.3) as small:
        router, validator = small.address("router"), small.address("validator")
        stake = await stake_of(small)
        bond = await small.chain.infr_balance(router)
        held = await small.chain.infr_balance(validator)
        await small.ask("hidden")
        await small.seen.wait(CourtActed, lambda e: "demanded batch 0 leaf 0" in e.text)
        await small.seen.wait(CourtActed, lambda e: "batch 0 leaf 0: answered" in e.text)
        known = await court(small).demand_of(router, 0, 0, 0)
        assert known is not None
        assert not known.open
        assert await small.chain.infr_balance(router) == bond + courts.BOND
        assert await small.chain.infr_balance(validator) == held - courts.BOND
        assert await stake_of(small) == stake
        await settled(small)


async def test_a_leaf_that_cannot_be_revealed_voids_its_batch(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router committed something its journal does not yield: it has nothing to answer with."""
    Mute(monkeypatch)
    liar = Liar(monkeypatch, publishes=False)
    liar.lying = True
    async with network(make_node, monkeypatch, validator=True, patience_s=0.3) as small:
        validator = small.address("validator")
        stake = await stake_of(small)
        held = await small.chain.infr_balance(validator)
        await small.ask("hidden")
        await small.seen.wait(CourtActed, lambda e: "demanded batch 0 leaf 0" in e.text)
        await small.seen.wait(CourtActed, lambda e: "batch 0 leaf 0 lapses" in e.text)
        await pass_time(small, courts.RESPONSE_S + 5)
        await small.seen.wait(CourtActed, lambda e: "did not reveal batch 0 leaf 0" in e.text)
        voided = await small.seen.wait(BatchesVoided)
        assert voided.index == 0
        slashed = stake - await stake_of(small)
        assert slashed == stake // 10
        assert await small.chain.infr_balance(validator) == held + slashed * 4 // 10
        await settled(small)


# -- equivocation


async def test_two_tickets_of_one_number_cost_half_the_stake(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(make_node, monkeypatch) as small:
        router = small.node.context.keys.get("router")
        validator = small.node.context.keys.get("provider-2")
        await small.ask("once")
        [row] = await small.rows(jobs)
        ticket = JobTicket.from_json(orjson.loads(row.ticket))
        other = replace(ticket, job_id=bytes(32))
        pair = (
            (ticket, bytes(row.ticket_signature)),
            (other, router.sign(other.digest(small.chain.domain))),
        )
        stake, held = await stake_of(small), await small.chain.infr_balance(validator.address)
        await court(small).prove_equivocation(validator, *pair)
        slashed = stake - await stake_of(small)
        assert slashed == stake // 2
        gain = await small.chain.infr_balance(validator.address) - held
        assert gain == slashed * 4 // 10
        with pytest.raises(ChainError):
            await court(small).prove_equivocation(validator, *pair)


# -- a router that cannot know what it did


async def test_a_router_without_its_database_serves_nobody(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would start its totals from nothing, and could not say what it owes."""
    text = config(1)
    async with running(make_node, text, providers=1) as small:
        await small.ask()
        await committed(small, 1)
        home = small.node.config.home
    for file in home.glob("state.db*"):
        file.unlink()
    with pytest.raises(NeedsOperatorError, match=r"the chain has 1 batches .* only 0"):
        async with make_node(text, plugins=PLUGINS):
            pytest.fail("the router serves")


async def test_a_sequence_number_is_never_used_again(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by a router whose database was restored from before its newest tickets."""
    async with network(make_node, monkeypatch, providers=1) as small:
        await small.ask()
        [row] = await small.rows(jobs)
        forgetful = Store(small.node.state, "0x" + "1" * 40)
        await forgetful.load()
        assert forgetful.next_sequence() > row.sequence
