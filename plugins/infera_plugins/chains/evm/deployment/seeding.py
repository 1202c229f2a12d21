"""Official models of a development chain, set by the key that governs it: what a passed proposal
does elsewhere.

A model is seeded once in a chain's life. What its governor changes later stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.errors import NeedsOperatorError

from ..bindings.dev_usdc import DevUSDC
from ..bindings.hot_pool import HotPool
from ..bindings.model_registry import ModelRegistry, Terms
from .manifest import DEVELOPMENT_CHAINS
from .parts import MICRO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infera.keys import Signer

    from ..binding import Call
    from ..chain import EvmChain
    from ..config import Official


async def seed(
    chain: EvmChain,
    governor: Signer,
    wanted: Mapping[str, Official],
    report: Callable[[str], None],
) -> None:
    """Make each model official that never was, under its name.

    Raises `NeedsOperatorError` on a chain that is none of development.
    """
    if not wanted:
        return
    if chain.domain.chain_id not in DEVELOPMENT_CHAINS:
        raise NeedsOperatorError(
            f"`official:` is for development chains, and this is chain {chain.domain.chain_id}",
            hint="remove `official:`; elsewhere a proposal makes models official",
        )
    if not {"ModelRegistry", "HotPool"} <= chain.contracts.keys():
        report("this chain's contracts know no official models; a fresh home has those that do")
        return
    registry = ModelRegistry(chain)
    owner = await registry.owner()
    for name, model in wanted.items():
        if await _was_seeded(registry, name, model.id):
            continue
        if owner != governor.address:
            report(f"{name} is not official: that is for {owner} to decide now")
            continue
        await _seed(chain, registry, governor, name, model)
        report(f"made {name} official")


async def _was_seeded(registry: ModelRegistry, name: str, model_id: bytes) -> bool:
    """Whether the name ever meant the model, or the model is official under another name."""
    if await registry.is_official(model_id):
        return True
    for version in range(await registry.version_of(name), 0, -1):
        if await registry.model_at(name, version) == model_id:
            return True
    return False


async def _seed(
    chain: EvmChain, registry: ModelRegistry, governor: Signer, name: str, model: Official
) -> None:
    pool = HotPool(chain)
    budget = model.budget_usdc * MICRO
    calls: list[Call] = []
    # Money first: a seat taken while the budget is empty is not paid until its next heartbeat.
    if budget and (await pool.account_of(model.id)).funded == 0:
        usdc = DevUSDC(chain, "USDC")
        await _send(
            chain,
            governor,
            [usdc.mint(governor.address, budget), usdc.approve(pool.address, budget)],
        )
        calls.append(pool.fund(model.id, budget))
    before = await registry.model_of(name)
    if int.from_bytes(before, "big"):  # other weights had the name
        calls.append(registry.retire_model(before))
        await _send(chain, governor, calls)
        calls = []
    terms = Terms(
        model.max_price_in,
        model.max_price_out,
        model.stake_ppm,
        model.subsidy_rate > 0,
        model.subsidy_rate,
        model.min_seats,
        model.max_seats,
    )
    calls.append(registry.add_model(model.id, name, model.uri, terms))
    await _send(chain, governor, calls)


async def _send(chain: EvmChain, signer: Signer, calls: list[Call]) -> None:
    await chain.session.transactor.send_all(signer, [(call.to, call.data) for call in calls])
