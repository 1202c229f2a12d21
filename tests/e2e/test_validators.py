"""Validators beside routers that do not answer, and what their findings do."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from small_network import Small, config, running

from infera.errors import InferaError
from infera.events import BatchCommitted, LeafChecked
from infera.keys import Signer
from infera.operators import active_hot_key
from infera.protocol.batches import SettledJob, Totals, build_batch
from infera.state.tables import audits
from infera.transport.handshake import greet
from infera.transport.sockets import Socket, listen
from infera.types import OperatorRole, Outcome, Tier
from infera_plugins.chains.evm.chain import EvmChain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INFR = 10**18


def patient(text: str) -> str:
    """The network's configuration with a validator that waits for an hour."""
    return text.replace("kind: validator", "kind: validator\n  evidence_timeout_s: 3600")


@asynccontextmanager
async def silent_router(small: Small) -> AsyncIterator[tuple[Signer, anyio.Event]]:
    """A staked router that proves who it is and answers nothing after that; an event once it was
    asked.
    """
    asked = anyio.Event()
    chain = small.chain
    assert isinstance(chain, EvmChain)
    signer = Signer(bytes([9]) * 32)

    async def never_answer(socket: Socket) -> None:
        async def key_of(address: str, role: OperatorRole) -> str | None:
            return await active_hot_key(chain, address, role)

        with suppress(InferaError):
            hello = await greet(socket, chain.domain, signer.address, signer, key_of)
            while hello.role is OperatorRole.VALIDATOR:
                await socket.receive()
                asked.set()

    await chain.give(signer.address)
    async with listen("127.0.0.1", 0, never_answer) as port:
        url = f"ws://127.0.0.1:{port}"
        await chain.register_operator(
            signer, OperatorRole.ROUTER, signer.address, 100_000 * INFR, url
        )
        yield signer, asked


async def commit(small: Small, router: Signer, provider: str, index: int, jobs: int) -> None:
    settled = [
        SettledJob(
            ticket=(1_000 * index + n).to_bytes(32, "big"),
            receipt=bytes(32),
            account=router.address,
            grant=bytes(32),
            provider=small.address(provider),
            cost=0,
            tier=Tier.OPTIMISTIC,
        )
        for n in range(jobs)
    ]
    batch = build_batch(router.address, index, settled, Totals())
    await small.chain.commit_batch(router, batch.header)


async def test_a_silent_router_delays_nobody_elses_checks(make_node: Any) -> None:
    async with (
        running(make_node, patient(config(1, validator=True)), providers=1) as small,
        silent_router(small) as (silent, asked),
    ):
        for index in range(3):
            await commit(small, silent, "provider-1", index, 2)
        with anyio.fail_after(30):
            await asked.wait()
        for number in range(2):
            await small.ask(f"question {number}")
        batch = await small.seen.wait(BatchCommitted)
        checked = await small.seen.wait(LeafChecked, lambda e: e.batch == batch.index)
        assert checked.outcome is Outcome.UPHELD
        # The silent one's batches are still waited for, in order: they are written down.
        left = {(row.router, row.batch_index) for row in await small.rows(audits)}
        assert {(silent.address, n) for n in range(3)} <= left


async def test_a_batch_that_was_not_looked_at_survives_a_restart(
    make_node: Any, infera_home: Any
) -> None:
    text = patient(config(1, validator=True))
    async with running(make_node, text, providers=1) as small, silent_router(small) as (silent, _):
        await commit(small, silent, "provider-1", 0, 1)

        async def written_down() -> bool:
            return any(row.router == silent.address for row in await small.rows(audits))

        with anyio.fail_after(30):
            while not await written_down():
                await anyio.lowlevel.checkpoint()
    async with running(make_node, text, providers=1) as small:
        rows = await small.rows(audits)
        assert [(row.router, row.batch_index) for row in rows] == [(silent.address, 0)]
        await small.ask()
        await small.seen.wait(LeafChecked)
