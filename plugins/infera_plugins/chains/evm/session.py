"""A started chain: the way to its node, its contracts, and what sends to them."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from infera.errors import ChainError, ChainUnavailableError, NeedsOperatorError, TransientError
from infera.events import ChainInterrupted, ChainRecovered, ProgressMade
from infera.protocol.abi import parse_address
from infera.protocol.eip712 import Domain

from .contracts import Book, load_all
from .deployment.blueprint import draw
from .deployment.executor import Deployer
from .deployment.faucet import ETH, FAUCET, Faucet
from .deployment.manifest import DEVELOPMENT_CHAINS, Deployment, check_standing
from .deployment.terms import Terms, terms_of
from .rpc import Rpc
from .transactions import Transactor
from .transport import Transport, make_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from infera.context import Context
    from infera.keys import KeyStore, Signer
    from infera.types import Address

    from .config import EvmConfig, Funds
    from .embedded import EmbeddedNode

EMBEDDED_CHAIN_ID = 31337
EMBEDDED_GAS = 30_000_000
FAUCET_BALANCE = 1_000_000_000 * ETH


@dataclass(slots=True)
class Session:
    """What `EvmChain` works with while it is connected."""

    rpc: Rpc
    transactor: Transactor
    chain_id: int
    contracts: Mapping[str, Address]
    first_block: int
    node: EmbeddedNode | None
    faucet: Faucet | None

    @property
    def domain(self) -> Domain:
        """What the protocol's signatures are bound to."""
        return Domain(self.chain_id, self.contracts["JobRegistry"])

    @property
    def book(self) -> Book:
        """The contracts' logs, by address."""
        return Book(self.contracts)

    async def give(self, address: Address, funds: Funds) -> None:
        """Play money."""
        if self.faucet is None or not self.faucet.open:
            raise NeedsOperatorError(
                "only a node that deployed to a development chain has play money"
            )
        await self.faucet.give(address, funds)


@asynccontextmanager
async def open_session(config: EvmConfig, context: Context, name: str) -> AsyncIterator[Session]:
    """Connect, check the chain, find or deploy the contracts, hand out play money; close when left.

    Raises `TransientError` while the node is away, `NeedsOperatorError` when a person must decide.
    """
    await anyio.Path(context.home).mkdir(parents=True, exist_ok=True)
    await anyio.to_thread.run_sync(_load, config.embedded)
    node = _embedded(config, context.home) if config.embedded else None
    transport: Transport = node or make_transport(config.rpc, timeout_s=config.request_timeout_s)
    bus = context.bus
    rpc = Rpc(
        transport,
        interrupted=lambda reason: bus.publish(ChainInterrupted(reason)),
        recovered=lambda: bus.publish(ChainRecovered()),
    )
    try:
        try:
            yield await _prepare(config, context, name, rpc, node)
        except ChainUnavailableError as e:
            raise TransientError(e.message) from e
        except ChainError as e:
            raise NeedsOperatorError(f"{name} cannot be set up: {e.message}", hint=e.hint) from e
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(10):
            await transport.disconnect()


def _load(embedded: bool) -> None:
    """Read and import what takes time, away from the event loop."""
    load_all()
    if embedded:
        importlib.import_module(".embedded", __package__)


def _embedded(config: EvmConfig, home: Path) -> EmbeddedNode:
    from .embedded import EmbeddedNode

    return EmbeddedNode.at(
        home / "chain.db",
        chain_id=config.chain_id or EMBEDDED_CHAIN_ID,
        alloc={bytes.fromhex(FAUCET.address[2:]): FAUCET_BALANCE},
        block_interval=config.block_interval_s,
    )


async def _prepare(
    config: EvmConfig, context: Context, name: str, rpc: Rpc, node: EmbeddedNode | None
) -> Session:
    chain_id = await rpc.chain_id()
    if config.chain_id not in (None, chain_id):
        raise NeedsOperatorError(
            f"{config.rpc} is chain {chain_id}, not {config.chain_id}",
            hint="correct `rpc:` or `chain_id:`",
        )
    transactor = Transactor(
        rpc,
        chain_id,
        confirmations=config.confirmations,
        poll_s=config.poll_interval_s,
        flat_gas=EMBEDDED_GAS if node else None,
    )
    if isinstance(config.contracts, dict):
        contracts = {n: parse_address(a) for n, a in config.contracts.items()}
        given = Deployment(chain_id, "", config.from_block, contracts)
        await _require_code(rpc, given, Path("the configuration"))
        return Session(rpc, transactor, chain_id, contracts, config.from_block, node, None)
    path = config.record(context.home)
    if config.contracts != "auto":
        named = await _named(rpc, chain_id, path)
        return Session(rpc, transactor, chain_id, named.contracts, named.block, node, None)
    deployment = await recorded(rpc, chain_id, path, node is not None)
    if not deployment.complete and not config.may_deploy:
        raise NeedsOperatorError(
            f"no contracts are known on chain {chain_id}",
            hint="set `contracts:` to their addresses, or `deploy: true` to deploy new ones",
        )

    def report(text: str) -> None:
        context.bus.publish(ProgressMade(name, text))

    signer, wanted = await anyio.to_thread.run_sync(_keys, config, context.keys)
    faucet = Faucet(rpc, transactor, signer, deployment, path, report)
    if not deployment.complete:
        report("deploying the contracts")
        if faucet.open:
            await faucet.gas_money(signer.address, 1_000 * ETH)
        head = await rpc.head()
        terms = terms_of(config, chain_id, signer.address, head.timestamp if head else 0)
        if deployment.terms:  # as it was begun
            terms = Terms.model_validate(deployment.terms)
        blueprint = draw(terms)
        await Deployer(
            rpc, transactor, signer, blueprint, deployment, path,
            together=node is not None, report=report,
        ).run()  # fmt: skip
    if wanted and (config.may_deploy or chain_id in DEVELOPMENT_CHAINS):
        await faucet.fund(wanted)
    return Session(rpc, transactor, chain_id, deployment.contracts, deployment.block, node, faucet)


def _keys(config: EvmConfig, keys: KeyStore) -> tuple[Signer, dict[Address, tuple[str, Funds]]]:
    """The deployer's key, and which addresses get play money."""
    signer = keys.get_or_create(config.deployer)
    wanted = {
        keys.get_or_create(name).address: (name, funds)
        for name, funds in sorted(config.fund.items())
        if name != "*"
    }
    if "*" in config.fund:
        for name in keys.names():
            wanted.setdefault(keys.get(name).address, (name, config.fund["*"]))
    return signer, wanted


async def recorded(rpc: Rpc, chain_id: int, path: Path, embedded: bool) -> Deployment:
    """What contracts.json says of this very chain, checked against it; a new record if it says
    nothing.
    """
    genesis = await rpc.head(0)
    identity = "0x" + genesis.hash.hex() if genesis else ""
    deployment = await anyio.to_thread.run_sync(Deployment.load, path)
    if deployment is not None and deployment.chain_id != chain_id:
        raise NeedsOperatorError(
            f"{path} is about chain {deployment.chain_id}, and this is chain {chain_id}",
            hint="use another --home, or remove the file",
        )
    if deployment is not None and deployment.genesis == identity:
        await _require_code(rpc, deployment, path)
        return deployment
    if deployment is not None and not (embedded or chain_id in DEVELOPMENT_CHAINS):
        await _require_code(rpc, deployment, path)
        return deployment
    # Nothing is known, or a development chain was started anew under an old record.
    return Deployment(chain_id, identity, await rpc.block_number())


async def _named(rpc: Rpc, chain_id: int, path: Path) -> Deployment:
    """What the manifest a configuration names says, checked against the chain."""
    deployment = await anyio.to_thread.run_sync(Deployment.load, path)
    if deployment is None:
        raise NeedsOperatorError(
            f"`contracts:` names {path}, and there is no such file",
            hint="`infera contracts deploy` writes it; a network's operators share it",
        )
    if deployment.chain_id != chain_id:
        raise NeedsOperatorError(
            f"{path} is about chain {deployment.chain_id}, and this is chain {chain_id}",
            hint="correct `rpc:` or `contracts:`",
        )
    if not deployment.complete:
        raise NeedsOperatorError(
            f"{path} tells of a deployment that broke off",
            hint="`infera contracts deploy` takes it up again",
        )
    await _require_code(rpc, deployment, path)
    return deployment


async def _require_code(rpc: Rpc, deployment: Deployment, path: Path) -> None:
    absent = [n for n, address in deployment.contracts.items() if not await rpc.code(address)]
    check_standing(deployment, absent, path)
