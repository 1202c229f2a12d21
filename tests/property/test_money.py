"""Money is conserved to the micro-dollar, whatever happens to the jobs it pays for.

A seeded, random run over a whole network on a real EVM: several accounts, keys and providers at
random prices; callers that leave, engines that fail or refuse, providers that lose their
connection, accounts that deposit, lock, unlock and withdraw meanwhile.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest
import yaml

from infera.abc import StreamOptions
from infera.errors import EngineError, RequestError
from infera.events import JobDelivered, JobFailed
from infera.protocol.apikeys import key_hash, new_api_key
from infera.protocol.messages import KeyGrant
from infera.protocol.pricing import fees
from infera.state.tables import JobState, jobs
from infera_plugins.chains.evm.config import Funds

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from small_network import DEADLINE_S, Small, config, question, running

if TYPE_CHECKING:
    from infera.keys import Signer
    from infera.types import Caller, JobRequest
    from infera_plugins.chains.evm.chain import EvmChain

JOBS = 600
AT_ONCE = 20
PROVIDERS = 3
USDC = 1_000_000


def _yaml(dice: random.Random) -> str:
    """Three providers, each at a price and a capacity of its own."""
    text: dict[str, Any] = yaml.safe_load(config(PROVIDERS, router={"batch_interval_s": 0.3}))
    for role in text["roles"]:
        if role["kind"] == "provider":
            role["price_in"] = dice.randrange(1_000, 3_000_000)
            role["price_out"] = dice.randrange(1_000, 9_000_000)
            role["capacity"] = dice.randrange(4, 12)
    return yaml.safe_dump(text)


class Money:
    """The accounts of a run and everything it did."""

    def __init__(self, small: Small, dice: random.Random) -> None:
        self.small = small
        self.dice = dice
        self.chain: EvmChain = small.chain  # type: ignore[assignment]
        self.router = small.address("router")
        self.accounts: list[Signer] = [small.node.context.keys.get("developer")]
        self.keys: list[str] = [small.key]
        self.told: Counter[str] = Counter()
        self.answered = 0
        """What the receipts say that callers got."""

    async def open_accounts(self) -> None:
        """Two more accounts, with keys of different limits."""
        for number in range(2):
            signer = self.small.node.context.keys.get_or_create(f"account-{number}")
            await self.chain.give(signer.address, Funds(infr=0, usdc=100))
            await self.chain.deposit(signer, 60 * USDC)
            await self.chain.lock(signer, self.router, 20 * USDC)
            self.accounts.append(signer)
        for signer in self.accounts:
            for total_cap in (50 * USDC, 4_000):
                self.keys.append(await self._key(signer, total_cap))

    async def _key(self, signer: Signer, total_cap: int) -> str:
        bearer = new_api_key()
        now = int(time())
        grant = KeyGrant(
            account=signer.address,
            key_hash=key_hash(bearer),
            routers=(self.router,),
            models=(),
            max_price_in=10**9,
            max_price_out=10**9,
            per_job_cap=10 * USDC,
            daily_cap=30 * USDC,
            total_cap=total_cap,
            not_before=now - 60,
            not_after=now + 3_600,
            generation=0,
        )
        signature = signer.sign(grant.digest(self.chain.domain))
        await self.small.gateway.register_grant(grant, signature)
        return bearer

    async def job(self, number: int) -> None:
        """One job, and whatever becomes of it."""
        dice = random.Random(f"{self.dice.random()}-{number}")
        caller: Caller = self.small.gateway.authenticate(dice.choice(self.keys))
        words = " ".join("word" for _ in range(dice.randrange(1, 40)))
        request = question(f"{dice.choice(FATES)} {words}", dice.randrange(1, 30), number)
        stream = dice.random() < 0.6
        leave_after = dice.choice([None] * 5 + [0, 1, 2, 5])
        pieces: list[bytes] = []
        try:
            # Some lose patience before the first byte is there.
            patience = dice.choice([None] * 6 + [0.0, 0.01])
            with anyio.move_on_after(patience) as scope:
                async with self.small.gateway.submit(
                    caller, request, StreamOptions(stream, include_usage=dice.random() < 0.5)
                ) as answer:
                    scope.deadline = float("inf")
                    async for piece in answer:
                        pieces.append(piece)
                        if stream and leave_after == len(pieces) - 1:
                            self.told["left"] += 1
                            return
            self.told["impatient" if scope.cancelled_caught else "answered"] += 1
        except RequestError as error:
            self.told[error.code] += 1
        if b'"infera":' in b"".join(pieces):
            self.answered += _cost(pieces)

    async def move(self) -> None:
        """An account moves its money about."""
        dice, chain = self.dice, self.chain
        signer = dice.choice(self.accounts[1:])
        free = await chain.free_balance(signer.address)
        held = await chain.lockup(signer.address, self.router)
        what = dice.choice(["deposit", "withdraw", "lock", "unlock"])
        amount = dice.randrange(1, 2 * USDC)
        if what == "deposit" and await chain.usdc_balance(signer.address) >= amount:
            await chain.deposit(signer, amount)
        elif what == "withdraw" and free >= amount:
            await chain.withdraw(signer, amount)
        elif what == "lock" and free >= amount:
            await chain.lock(signer, self.router, amount)
        elif what == "unlock" and held.locked - held.thawing >= 10 * USDC + amount:
            await chain.unlock(signer, self.router, amount)
        else:
            return
        self.told[what] += 1


FATES = ["fine"] * 12 + ["fails-at-once", "fails-later", "refused", "slow"]


async def _fate(request: JobRequest, at: int) -> None:
    """What an engine does with a job: its first word says it."""
    fate = request.messages[0].content.partition(" ")[0]
    if fate == "refused" and at == 0:
        raise RequestError("Not here.", code="content_policy")
    if (fate, at) in (("fails-at-once", 0), ("fails-later", 3)):
        raise EngineError("out of memory")
    if fate == "slow":
        await anyio.sleep(0.005)
    await anyio.lowlevel.checkpoint()


def _cost(pieces: list[bytes]) -> int:
    """What the receipt in an answer says it costs."""
    for piece in pieces:
        text = piece.removeprefix(b"data: ")
        if b'"infera":' in text:
            return int(orjson.loads(text)["infera"]["receipt"]["cost"])
    raise AssertionError("no receipt")


@pytest.mark.e2e
@pytest.mark.parametrize("seed", [1])
async def test_money_is_conserved(make_node: Any, seed: int) -> None:
    dice = random.Random(seed)
    async with running(make_node, _yaml(dice), providers=PROVIDERS) as small:
        money = Money(small, dice)
        await money.open_accounts()
        for number in range(PROVIDERS):
            small.engine(f"engine-{number + 1}").before = _fate
        start = {
            name: await money.chain.usdc_balance(small.address(name))
            for name in ("router", *(f"provider-{n + 1}" for n in range(PROVIDERS)))
        }
        for wave in range(0, JOBS, AT_ONCE):
            async with anyio.create_task_group() as tasks:
                for number in range(wave, wave + AT_ONCE):
                    tasks.start_soon(money.job, number)
                tasks.start_soon(money.move)
                if dice.random() < 0.3:
                    name = f"provider-{dice.randrange(PROVIDERS) + 1}"
                    if small.address(name) in small.dispatcher.index.peers:
                        small.cut(name)
        assert money.told["answered"] > JOBS // 6, money.told
        for rare in ("left", "content_policy", "engine_failed", "impatient"):
            assert money.told[rare], (rare, money.told)

        await _quiesce(small)
        await _check_jobs(small, money)
        await _check_money(small, money, start)


async def _quiesce(small: Small) -> None:
    """Until every job has ended and every micro-dollar of it has arrived."""
    seen, ledger = small.seen, small.dispatcher.ledger
    await seen.until(
        lambda: all(account.reserved == 0 for account in ledger.accounts.values()),
        "every reservation is settled or given back",
    )
    await seen.until(
        lambda: all(account.unsettled == 0 for account in ledger.accounts.values()),
        "every account is debited",
    )
    owed: Counter[str] = Counter()
    for event in seen.all(JobDelivered):
        owed[event.provider] += fees(event.cost).provider
    # The chain is asked: a claim of a provider that lost its connection meanwhile has no event.
    with anyio.fail_after(DEADLINE_S):
        for provider, net in owed.items():
            router = small.address("router")
            while await small.chain.claimed(router, provider) < net:  # noqa: ASYNC110
                await anyio.sleep(0.02)


async def _check_jobs(small: Small, money: Money) -> None:
    rows = await small.rows(jobs)
    assert {row.state for row in rows} == {JobState.BATCHED, JobState.FAILED}
    batched = [row for row in rows if row.state == JobState.BATCHED]
    places = Counter((row.batch_index, row.leaf_index) for row in batched)
    assert max(places.values()) == 1
    assert max(Counter(row.sequence for row in rows).values()) == 1
    delivered = small.seen.all(JobDelivered)
    assert Counter(event.job_id for event in delivered) == Counter(
        row.job_id.hex() for row in batched
    ), "every delivered job is in a batch once"
    ended = {event.job_id for event in small.seen.all(JobFailed)}
    assert not ended & {event.job_id for event in delivered}
    # A receipt that callers hold is in a batch; what callers left behind is on top.
    assert 0 < money.answered <= sum(row.cost for row in batched)
    assert all(row.cost is None for row in rows if row.state == JobState.FAILED)


async def _check_money(small: Small, money: Money, start: dict[str, int]) -> None:
    chain, router, ledger = money.chain, money.router, small.dispatcher.ledger
    batched = [row for row in await small.rows(jobs) if row.state == JobState.BATCHED]
    free = locked = 0
    for signer in money.accounts:
        spent = sum(row.cost for row in batched if row.account == signer.address)
        book = ledger.account(signer.address)
        assert book.charged == book.debited == spent
        for grant in (g for g in ledger.grants.values() if g.grant.account == signer.address):
            under = sum(row.cost for row in batched if row.grant_digest == grant.digest)
            assert await chain.debited(router, grant.digest) == grant.charged == under
            assert under <= grant.grant.total_cap
        mine_free = await chain.free_balance(signer.address)
        mine_locked = (await chain.lockup(signer.address, router)).locked
        outside = await chain.usdc_balance(signer.address)
        given = 1_000 * USDC if signer is money.accounts[0] else 100 * USDC
        assert given == outside + mine_free + mine_locked + spent
        free, locked = free + mine_free, locked + mine_locked

    split = [fees(row.cost) for row in batched]
    claimed = 0
    for name in start:
        if name == "router":
            continue
        address = small.address(name)
        net = sum(fees(row.cost).provider for row in batched if row.provider == address)
        assert await chain.claimed(router, address) == net
        assert await chain.usdc_balance(address) == start[name] + net
        assert net > 0, f"{name} did some of the work"
        claimed += net

    pool = await chain.call("PaymentVault", "poolOf", router)
    router_fees = await chain.call("PaymentVault", "routerFeesOf", router)
    protocol_fees = sum(await chain.call("PaymentVault", "protocolFees"))
    assert pool == 0, "all of it is claimed"
    assert router_fees == sum(part.router for part in split)
    assert protocol_fees == sum(part.protocol for part in split)
    assert claimed == sum(part.provider for part in split)
    vault = await chain.usdc_balance(chain.contracts["PaymentVault"])
    assert vault == free + locked + pool + router_fees + protocol_fees
    _, header_total = await _last_header(small)
    assert header_total == sum(row.cost for row in batched)

    # A provider holds no receipt that it has not offered, and remembers what it earned.
    served = await small.acknowledged()
    assert {row.job_id for row in batched} <= {row.job_id for row in served}


async def _last_header(small: Small) -> tuple[int, int]:
    router = small.address("router")
    count = await small.chain.batch_count(router)
    header, _, _ = await small.chain.batch(router, count - 1)
    assert header.debited == header.credited + header.fees
    return count, header.debited
