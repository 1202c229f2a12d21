"""Every `Chain` does the same on every chain: the embedded one, and anvil over HTTP, WebSocket
and IPC.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.abc import Debit
from infera.bus import EventBus
from infera.context import Context
from infera.errors import ChainError
from infera.keys import KeyStore, Signer, recover
from infera.protocol.batches import SettledJob, Totals, build_batch
from infera.protocol.messages import KeyGrant
from infera.state import State
from infera.types import BatchHeader, OperatorRole, Tier
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.chains.evm.config import EvmConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
INFR = 10**18
USDC = 1_000_000
KEYS = ("router", "provider", "provider2", "validator", "account", "account2")
WINDOW = 90


def anvil() -> str | None:
    """The anvil binary: in contracts/node_modules, or on PATH."""
    found = sorted(ROOT.glob("contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"))
    return str(found[0]) if found else shutil.which("anvil")


@asynccontextmanager
async def node_of(kind: str, folder: Path) -> AsyncIterator[str]:
    """The `rpc:` of a fresh chain."""
    if kind == "embedded":
        yield "embedded"
        return
    binary = anvil()
    if binary is None:
        pytest.skip("anvil is not installed (npm package @foundry-rs/anvil, or on PATH)")
    command = [binary, "--port", "0", "--ipc", str(folder / "anvil.ipc")]
    environment = {**os.environ, "NO_COLOR": "1"}
    async with await anyio.open_process(
        command, stderr=subprocess.STDOUT, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            with anyio.fail_after(20):
                while "Listening on" not in text or "\n" not in text.partition("Listening on")[2]:
                    text += (await process.stdout.receive()).decode()
            address = text.partition("Listening on")[2].split()[0]
            yield {
                "anvil-http": f"http://{address}",
                "anvil-ws": f"ws://{address}",
                "anvil-ipc": f"ipc://{folder / 'anvil.ipc'}",
            }[kind]
        finally:
            process.kill()


@dataclass
class Net:
    """A chain with funded keys."""

    chain: EvmChain
    context: Context

    def key(self, name: str) -> Signer:
        return self.context.keys.get(name)

    def address(self, name: str) -> str:
        return self.key(name).address

    async def advance(self, seconds: int) -> None:
        await self.chain.rpc.once("evm_increaseTime", hex(seconds))
        await self.chain.rpc.once("evm_mine")

    async def register_all(self) -> None:
        for name, role, stake in (
            ("router", OperatorRole.ROUTER, 10_000),
            ("provider", OperatorRole.PROVIDER, 1_000),
            ("provider2", OperatorRole.PROVIDER, 1_000),
        ):
            key = self.key(name)
            await self.chain.register_operator(key, role, key.address, stake * INFR, f"ws://{name}")

    async def grant(self, account: str, **changes: Any) -> tuple[KeyGrant, bytes, bytes]:
        signer = self.key(account)
        now = await self.chain.timestamp()
        fields: dict[str, Any] = {
            "account": signer.address,
            "key_hash": bytes([7]) * 32,
            "routers": (self.address("router"),),
            "models": (),
            "max_price_in": 1_000_000,
            "max_price_out": 1_000_000,
            "per_job_cap": 5 * USDC,
            "daily_cap": 50 * USDC,
            "total_cap": 100 * USDC,
            "not_before": now - 3600,
            "not_after": now + 30 * 86400,
            "generation": await self.chain.generation(signer.address),
        }
        grant = KeyGrant(**(fields | changes))
        digest = grant.digest(self.chain.domain)
        return grant, digest, signer.sign(digest)


@asynccontextmanager
async def network(rpc: str, home: Path, **config: Any) -> AsyncIterator[Net]:
    """A running `EvmChain` with six funded keys."""
    async with State(f"sqlite:///{home / 'state.db'}") as state:
        context = Context("test", home, EventBus(), state, KeyStore(home / "keys"))
        settings: dict[str, Any] = {
            "rpc": rpc,
            "deploy": True,
            "fund": {name: {} for name in KEYS},
            "poll_interval_s": 0.02,
            "challenge_window_s": WINDOW,
        }
        chain = EvmChain(EvmConfig.model_validate(settings | config), context)
        async with anyio.create_task_group() as tasks:
            await tasks.start(lambda task_status: chain.serve(task_status=task_status))
            yield Net(chain, context)
            tasks.cancel_scope.cancel()


@pytest.fixture(params=["embedded", "anvil-http", "anvil-ws", "anvil-ipc"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def net(kind: str, tmp_path: Path) -> AsyncIterator[Net]:
    async with node_of(kind, tmp_path) as rpc, network(rpc, tmp_path) as net:
        yield net


async def test_blocks_move_and_carry_randomness(net: Net) -> None:
    block = await net.chain.block_number()
    before = await net.chain.timestamp()
    assert await net.chain.prevrandao(block + 5) is None
    await net.advance(100)
    assert await net.chain.timestamp() >= before + 100
    first, second = await net.chain.prevrandao(block), await net.chain.prevrandao(block + 1)
    assert first is not None
    assert second is not None
    assert len(second) == 32
    assert first != second


async def test_domain_is_what_the_registry_signs_by(net: Net) -> None:
    assert net.chain.domain.separator == await net.chain.call("JobRegistry", "domainSeparator")
    grant, digest, signature = await net.grant("account")
    assert await net.chain.call("JobRegistry", "grantDigest", grant) == digest
    assert recover(digest, signature) == net.address("account")


async def test_operators_register_and_change(net: Net) -> None:
    chain, router = net.chain, net.key("router")
    assert await chain.operator(router.address, OperatorRole.ROUTER) is None
    assert await chain.operators(OperatorRole.PROVIDER) == []
    assert await chain.minimum_stake(OperatorRole.ROUTER) == 10_000 * INFR
    await net.register_all()
    hot = Signer.generate().address
    await chain.register_operator(router, OperatorRole.ROUTER, hot, 0, "wss://elsewhere")
    known = await chain.operator(router.address, OperatorRole.ROUTER)
    assert known is not None
    assert (known.hot_key, known.stake, known.active) == (hot, 10_000 * INFR, True)
    assert known.uri == "wss://elsewhere"
    assert 0 < known.since <= await chain.timestamp()
    await chain.register_operator(router, OperatorRole.ROUTER, hot, 5 * INFR, "wss://elsewhere")
    again = await chain.operator(router.address, OperatorRole.ROUTER)
    assert again is not None
    assert again.stake == 10_005 * INFR
    assert again.since == known.since
    providers = await chain.operators(OperatorRole.PROVIDER)
    assert [p.address for p in providers] == [net.address("provider"), net.address("provider2")]
    assert await chain.operator(router.address, OperatorRole.PROVIDER) is None


async def test_money_in_and_out(net: Net) -> None:
    chain, account, router = net.chain, net.key("account"), net.address("router")
    held = await chain.usdc_balance(account.address)
    await chain.deposit(account, 100 * USDC)
    await chain.lock(account, router, 60 * USDC)
    await chain.unlock(account, router, 20 * USDC)
    lockup = await chain.lockup(account.address, router)
    assert (lockup.locked, lockup.thawing) == (60 * USDC, 20 * USDC)
    assert lockup.thaw_ends > await chain.timestamp()
    await chain.withdraw(account, 40 * USDC)
    assert await chain.free_balance(account.address) == 0
    with pytest.raises(ChainError) as refused:
        await chain.withdraw(account, 1)
    assert refused.value.revert == f"PaymentVault_InsufficientFree({account.address}, 1, 0)"
    with pytest.raises(ChainError, match="Hold_NotThawed"):
        await chain.withdraw_thawed(account, router)
    await net.advance(3601)
    assert await chain.withdraw_thawed(account, router) == 20 * USDC
    await chain.withdraw(account, 20 * USDC)
    assert await chain.usdc_balance(account.address) == held - 40 * USDC


async def test_a_batch_settles(net: Net) -> None:
    chain, router = net.chain, net.key("router")
    await net.register_all()
    grants = {}
    for number, name in enumerate(("account", "account2", "account2")):
        signer = net.key(name)
        grants[number] = await net.grant(name, key_hash=bytes([number + 1]) * 32)
        await chain.deposit(signer, 50 * USDC)
        await chain.lock(signer, router.address, 50 * USDC)
    jobs = [
        SettledJob(
            ticket=bytes([i + 1]) * 32,
            receipt=bytes([i + 101]) * 32,
            account=grants[i % 3][0].account,
            grant=grants[i % 3][1],
            provider=net.address(("provider", "provider2")[i % 2]),
            cost=1_000_003,
            tier=Tier.OPTIMISTIC,
        )
        for i in range(7)
    ]
    batch = build_batch(router.address, 0, jobs, Totals())
    assert await chain.batch_count(router.address) == 0
    place = await chain.commit_batch(router, batch.header)
    assert await chain.batch_count(router.address) == 1
    header, block, final_at = await chain.batch(router.address, 0)
    assert header == batch.header
    assert (block, len(place.tx), len(place.block_hash)) == (place.block, 32, 32)
    assert final_at >= await chain.timestamp() - 5 + WINDOW

    rows = []
    for grant, digest, signature in grants.values():
        leaf, proof = batch.prove_debit(digest)
        rows.append(
            Debit(
                grant, signature, leaf.debited, leaf.router_fees, leaf.protocol_fees,
                proof.index, proof.siblings,
            )
        )  # fmt: skip
    with pytest.raises(ChainError, match="JobRegistry_NotFinal"):
        await chain.apply_debits(router, router.address, 0, rows)
    await net.advance(WINDOW + 1)
    await chain.apply_debits(router, router.address, 0, rows[:1])
    await chain.apply_debits(router, router.address, 0, rows)
    for row, (_, digest, _) in zip(rows, grants.values(), strict=True):
        assert await chain.debited(router.address, digest) == row.debited
    spent = sum(row.debited for row in rows)
    left = sum(
        [
            (await chain.lockup(net.address(n), router.address)).locked
            for n in ("account", "account2")
        ]
    )
    assert left == 150 * USDC - spent

    for name in ("provider", "provider2"):
        key = net.key(name)
        credit, proof = batch.prove_credit(key.address)
        before = await chain.usdc_balance(key.address)
        paid = await chain.claim(
            key, router.address, 0, key.address, credit.credited, proof.index, proof.siblings
        )
        assert paid == credit.credited
        assert await chain.claimed(router.address, key.address) == paid
        assert await chain.usdc_balance(key.address) == before + paid
    forged = (proof.siblings[0][::-1], *proof.siblings[1:])
    with pytest.raises(ChainError, match="PaymentVault_BadCreditProof"):
        await chain.claim(key, router.address, 0, key.address, credit.credited, proof.index, forged)


async def test_only_routers_commit(net: Net) -> None:
    await net.register_all()
    stranger = net.key("account")
    root = bytes(32)
    header = BatchHeader(
        net.address("router"), 0, root, root, root, root, 1, 1, 1, 4, 10, 9, 1
    )  # fmt: skip
    with pytest.raises(ChainError) as refused:
        await net.chain.commit_batch(stranger, header)
    assert refused.value.revert is not None
    assert refused.value.revert.startswith("JobRegistry_NotRouter(")


async def test_revoked_keys_raise_the_generation(net: Net) -> None:
    account = net.key("account")
    before = await net.chain.generation(account.address)
    assert await net.chain.revoke_keys(account) == before + 1
    assert await net.chain.generation(account.address) == before + 1


async def test_events_come_in_order_and_once_each(net: Net) -> None:
    chain, account, router = net.chain, net.key("account"), net.address("router")
    await chain.deposit(account, 5 * USDC)
    await chain.lock(account, router, 3 * USDC)
    await chain.unlock(account, router, 1 * USDC)
    seen = []
    with anyio.fail_after(20):
        async for event in chain.events("one", names=("Locked", "Deposited", "Unlocking")):
            seen.append(event)
            if event.name == "Unlocking":
                break
    assert [e.name for e in seen] == ["Deposited", "Locked", "Unlocking"]
    assert seen[1].contract == "PaymentVault"
    assert seen[1].args == {"account": account.address, "router": router, "amount": 3 * USDC}
    assert seen[1].position.block > seen[0].position.block
    # The last event was never passed: it is told again, and then what came after it.
    await chain.lock(account, router, 1 * USDC)
    with anyio.fail_after(20):
        follow = chain.events("one", names=("Locked", "Deposited", "Unlocking"))
        assert [(await anext(follow)).name for _ in range(2)] == ["Unlocking", "Locked"]


async def test_a_restart_finds_everything_again(kind: str, tmp_path: Path) -> None:
    async with node_of(kind, tmp_path) as rpc:
        async with network(rpc, tmp_path) as net:
            await net.chain.deposit(net.key("account"), 7 * USDC)
            contracts, block = dict(net.chain.contracts), await net.chain.block_number()
            account = net.address("account")
        async with network(rpc, tmp_path) as net:
            assert dict(net.chain.contracts) == contracts
            assert await net.chain.block_number() >= block
            assert await net.chain.free_balance(account) == 7 * USDC
            assert await net.chain.infr_balance(account) == 1_000_000 * INFR


async def test_many_sends_of_one_sender_all_arrive(net: Net) -> None:
    account = net.key("account")
    await net.chain.deposit(account, 200)
    before = await net.chain.free_balance(account.address)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(net.chain.lock, account, net.address("router"), 1)
    assert await net.chain.free_balance(account.address) == before - 50
