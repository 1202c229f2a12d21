"""Who may connect, and what an impostor hears."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from infera.errors import ProtocolError
from infera.keys import Signer
from infera.protocol.eip712 import Domain
from infera.transport.frames import FrameType, decode
from infera.transport.handshake import Hello, greet, introduce
from infera.transport.sockets import LinkLostError
from infera.types import Address, OperatorRole

pytestmark = pytest.mark.anyio

DOMAIN = Domain(31337, "0x" + "11" * 20)
ROUTER, PROVIDER, STRANGER = Signer.generate(), Signer.generate(), Signer.generate()
COLD_ROUTER, COLD_PROVIDER = Signer.generate().address, Signer.generate().address
KEYS = {
    (COLD_ROUTER, OperatorRole.ROUTER): ROUTER.address,
    (COLD_PROVIDER, OperatorRole.PROVIDER): PROVIDER.address,
}


async def _hot_key_of(address: Address, role: OperatorRole) -> Address | None:
    return KEYS.get((address, role))


async def _meet(pipe: Any, *, router: Signer = ROUTER, hot: Signer = PROVIDER,
                address: Address = COLD_PROVIDER, domain: Domain = DOMAIN) -> Any:  # fmt: skip
    """Run both sides; returns (the router's result or error, the peer's)."""
    results: dict[str, Any] = {}

    async def run(name: str, coroutine: Any) -> None:
        try:
            results[name] = await coroutine
        except (ProtocolError, LinkLostError) as error:
            results[name] = error
            await pipe[0 if name == "router" else 1].close()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                run, "router", greet(pipe[0], DOMAIN, COLD_ROUTER, router, _hot_key_of)
            )
            tasks.start_soon(
                run,
                "peer",
                introduce(
                    pipe[1], domain, address, OperatorRole.PROVIDER, hot, {"x": 1}, _hot_key_of
                ),
            )
    return results["router"], results["peer"]


async def test_two_honest_sides_know_each_other(pipe: Any) -> None:
    hello, seen = await _meet(pipe)
    assert isinstance(hello, Hello)
    assert (hello.address, hello.hot_key) == (COLD_PROVIDER, PROVIDER.address)
    assert hello.role is OperatorRole.PROVIDER
    assert hello.body["x"] == 1
    assert seen == (COLD_ROUTER, ROUTER.address)


async def test_a_stolen_address_without_its_key_is_turned_away_and_told_why(pipe: Any) -> None:
    refused, told = await _meet(pipe, hot=STRANGER)
    assert "hot key on the chain" in refused.message
    assert "hot key on the chain" in told.message


async def test_nobody_without_stake_gets_in(pipe: Any) -> None:
    refused, told = await _meet(pipe, address=STRANGER.address, hot=STRANGER)
    assert "stake first" in refused.message
    assert "stake first" in told.message


async def test_a_peer_does_not_talk_to_a_false_router(pipe: Any) -> None:
    _, told = await _meet(pipe, router=STRANGER)
    assert "could not prove" in told.message


async def test_two_chains_do_not_mix(pipe: Any) -> None:
    _, told = await _meet(pipe, domain=Domain(8453, DOMAIN.verifying_contract))
    assert "chain 31337" in told.message
    assert "8453" in told.message


async def test_a_recorded_handshake_cannot_be_played_again(pipe: Any, make_pipe: Any) -> None:
    await _meet(pipe)
    recorded = pipe[1].sent[0]
    assert decode(recorded).type is FrameType.HELLO
    fresh = make_pipe()
    failure: list[ProtocolError] = []

    async def router() -> None:
        try:
            await greet(fresh[0], DOMAIN, COLD_ROUTER, ROUTER, _hot_key_of)
        except ProtocolError as error:
            failure.append(error)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router)
            await fresh[1].receive()
            await fresh[1].send(recorded)
    assert "hot key on the chain" in failure[0].message
