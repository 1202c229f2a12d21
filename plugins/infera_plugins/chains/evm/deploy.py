"""Bringing the contracts to a chain that has none, and play money to this node's keys on a
development chain.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from infera.errors import NeedsOperatorError
from infera.keys import Signer
from infera.protocol.abi import parse_address

from .config import CONTRACTS, EvmConfig, Funds
from .contracts import PROTOCOL, interface
from .rpc import first_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infera.types import Address

    from .rpc import Rpc
    from .transactions import Transactor

INFR = 10**18
INFR_SUPPLY = 1_000_000_000 * INFR
USDC = 1_000_000
ETH = 10**18

DEVELOPMENT_CHAINS = frozenset({31337, 1337})

FAUCET = Signer.from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""First account of the mnemonic every development chain pre-funds ("test test … junk").

Public: worth nothing anywhere else.
"""


@dataclass(slots=True)
class Deployment:
    """What `contracts.json` holds: where the contracts stand, and how they got there."""

    chain_id: int
    genesis: str
    """Hash of the chain's first block: two development chains share a number, never this."""
    block: int
    contracts: dict[str, Address] = field(default_factory=dict)
    implementations: dict[str, Address] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)
    funded: dict[Address, str] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)
    """Block of each transaction."""
    deployer: Address = ""
    governor: Address = ""
    """Who is to own the contracts; empty: whoever deployed them."""
    method: str = ""
    """`create2` or `create`."""
    salt: str = ""
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each constructor or initialiser was given; numbers as decimal strings."""
    sources: dict[str, str] = field(default_factory=dict)
    """Hash of the sources behind each contract's code, as the artifacts have it."""
    expected: dict[str, Address] = field(default_factory=dict)
    """Where a transaction that is under way creates its contract."""

    @property
    def complete(self) -> bool:
        """Whether every contract stands."""
        return all(name in self.contracts for name in CONTRACTS)

    @classmethod
    def load(cls, path: Path) -> Deployment | None:
        """Read the file; None if there is none."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as e:
            raise NeedsOperatorError(
                f"{path} cannot be read: {e}", hint="restore it, or remove it to start over"
            ) from e

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".contracts")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)


def initial_arguments(
    name: str,
    config: EvmConfig,
    governor: Address,
    treasury: Address,
    stand: Mapping[str, Address],
) -> tuple[Any, ...]:
    """What a contract's `initialize` gets when those before it in `PROTOCOL` stand
    (contracts/README.md).
    """
    stake = config.minimum_stake
    arguments: dict[str, Callable[[], tuple[Any, ...]]] = {
        "StakeRegistry": lambda: (
            stand["INFR"], config.unbonding_period_s,
            stake.provider * INFR, stake.router * INFR, stake.validator * INFR,
        ),
        "JobRegistry": lambda: (stand["StakeRegistry"], config.challenge_window_s),
        "PaymentVault": lambda: (
            stand["USDC"], stand["JobRegistry"], config.thaw_period_s,
            treasury, treasury, treasury,
        ),
    }  # fmt: skip
    return (governor, *arguments[name]())


class Deployer:
    """Deploys step by step.

    Each finished step is on disk before the next begins, so a broken-off deployment is taken up
    again.
    """

    def __init__(
        self,
        rpc: Rpc,
        transactor: Transactor,
        signer: Signer,
        config: EvmConfig,
        deployment: Deployment,
        path: Path,
        report: Callable[[str], None],
    ) -> None:
        self._rpc = rpc
        self._transactor = transactor
        self._signer = signer
        self._config = config
        self._deployment = deployment
        self._path = path
        self._report = report

    @property
    def development(self) -> bool:
        """Whether play money may be made here."""
        return self._deployment.chain_id in DEVELOPMENT_CHAINS

    async def run(self) -> None:
        """Deploy what is missing, in the order of contracts/README.md."""
        if self.development:
            await self._gas_money(self._signer.address, 1_000 * ETH)
        governor = self._signer.address
        config, known = self._config, self._deployment.contracts
        await self._plain("INFR", [(governor, INFR_SUPPLY)])
        if "USDC" not in known and config.usdc is not None:
            await self._note("USDC", parse_address(config.usdc))
        if "USDC" not in known and not self.development:
            raise NeedsOperatorError(
                "USDC must be named on a public chain",
                hint="set `usdc:` to the chain's own, or `contracts:` to a deployed set",
            )
        await self._plain("USDC", governor)
        for name in PROTOCOL:
            await self._proxied(name, *initial_arguments(name, config, governor, governor, known))

    async def _plain(self, name: str, *args: Any) -> None:
        if name not in self._deployment.contracts:
            await self._note(name, await self._create(name, interface(name).creation(*args)))

    async def _proxied(self, name: str, *args: Any) -> None:
        if name in self._deployment.contracts:
            return
        contract = interface(name)
        implementation = self._deployment.implementations.get(name)
        if implementation is None:
            implementation = await self._create(f"{name} implementation", contract.creation())
            self._deployment.implementations[name] = implementation
            await self._save()
        call = contract.functions["initialize"].call(*args)
        proxy = interface("Proxy").creation(implementation, call)
        await self._note(name, await self._create(name, proxy))

    async def _create(self, label: str, code: bytes) -> Address:
        receipt = await self._transactor.send(self._signer, None, code)
        assert receipt.created is not None
        self._deployment.transactions[label] = "0x" + receipt.tx.hex()
        return receipt.created

    async def _note(self, name: str, address: Address) -> None:
        self._deployment.contracts[name] = address
        await self._save()
        self._report(f"{name} stands at {address}")

    async def _save(self) -> None:
        await anyio.to_thread.run_sync(self._deployment.save, self._path)

    # -- play money

    async def fund(self, wanted: Mapping[Address, tuple[str, Funds]]) -> None:
        """Give each address what it is due, once. On a development chain only."""
        if not self.development:
            raise NeedsOperatorError(
                f"`fund:` is for development chains, and this is chain {self._deployment.chain_id}",
                hint="remove `fund:` and send the keys real money",
            )
        with first_error():
            async with anyio.create_task_group() as tasks:
                for address, (name, funds) in wanted.items():
                    if address not in self._deployment.funded:
                        tasks.start_soon(self.give, address, funds, name)
        for address, (name, _) in wanted.items():
            self._deployment.funded.setdefault(address, name)
        await self._save()

    async def give(self, address: Address, funds: Funds, name: str = "") -> None:
        """ETH from the development chain's rich account, INFR from the deployer, fresh USDC."""
        contracts = self._deployment.contracts
        await self._gas_money(address, int(funds.eth * ETH))
        if funds.infr and address != self._signer.address:
            call = interface("INFR").functions["transfer"].call(address, funds.infr * INFR)
            await self._transactor.send(self._signer, contracts["INFR"], call)
        if funds.usdc:
            call = interface("USDC").functions["mint"].call(address, funds.usdc * USDC)
            await self._transactor.send(self._signer, contracts["USDC"], call)
        self._report(f"funded {name or address}")

    async def _gas_money(self, address: Address, amount: int) -> None:
        missing = amount - await self._rpc.balance(address)
        if missing > 0:
            await self._transactor.send(FAUCET, address, b"", value=missing, gas=21_000)


def check_standing(deployment: Deployment, absent: list[str], path: Path) -> None:
    """Complain when the chain does not have what the file says it has."""
    if absent:
        raise NeedsOperatorError(
            f"{path} says {', '.join(absent)} stand on chain {deployment.chain_id},"
            " but there is no code",
            hint="is this the right chain? remove the file to deploy again, or set `contracts:`",
        )
