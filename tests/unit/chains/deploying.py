"""Contracts put on a running chain one by one, for tests of the services that stand on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.services import attach

if TYPE_CHECKING:
    from infera.keys import Signer
    from infera_plugins.chains.evm.chain import EvmChain


async def stand(chain: EvmChain, signer: Signer, name: str, *args: Any) -> str:
    """A contract without a proxy; `args` are its constructor's."""
    receipt = await chain.session.transactor.send(signer, None, interface(name).creation(*args))
    assert receipt.created is not None
    return receipt.created


async def put(chain: EvmChain, signer: Signer, name: str, *args: Any) -> None:
    """`stand`, and have the chain know it by its name."""
    know(chain, name, await stand(chain, signer, name, *args))


async def put_proxied(chain: EvmChain, signer: Signer, name: str, *args: Any) -> None:
    """A contract behind a proxy; `args` are those of its `initialize`."""
    implementation = await stand(chain, signer, name)
    call = interface(name).functions["initialize"].call(*args)
    know(chain, name, await stand(chain, signer, "Proxy", implementation, call))


def know(chain: EvmChain, name: str, address: str) -> None:
    chain.contracts = {**chain.contracts, name: address}
    attach(chain)


RULE = (20_000, 400_000, 20_000, 90 * 86_400)
"""Of reputation: weights of an upheld check and of a mismatch, base rate, half-life."""


async def put_reputation(chain: EvmChain, governor: Signer) -> None:
    """`Reputation`, and the desk that writes to it."""
    contracts = chain.contracts
    if "Reputation" not in contracts:
        await put_proxied(
            chain, governor, "Reputation", governor.address, contracts["StakeRegistry"], RULE
        )
    if "CheckDesk" not in contracts:
        desk = (contracts["JobRegistry"], chain.contracts["Reputation"])
        await put(chain, governor, "CheckDesk", *desk)
        await chain.transact(
            governor, "Reputation", "setWriter", chain.contracts["CheckDesk"], True
        )
