"""Play money: gas, INFR and toy USDC for keys of this node, on development chains only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from infera.errors import NeedsOperatorError
from infera.keys import Signer

from ..contracts import interface
from ..rpc import first_error
from .manifest import DEVELOPMENT_CHAINS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infera.types import Address

    from ..config import Funds
    from ..rpc import Rpc
    from ..transactions import Transactor
    from .manifest import Deployment

INFR = 10**18
USDC = 1_000_000
ETH = 10**18

FAUCET = Signer.from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""First account of the mnemonic every development chain pre-funds ("test test … junk").

Public: worth nothing anywhere else.
"""


class Faucet:
    """Hands out play money: ETH of the chain's rich account, the deployer's INFR, fresh USDC."""

    def __init__(
        self,
        rpc: Rpc,
        transactor: Transactor,
        deployer: Signer,
        deployment: Deployment,
        path: Path,
        report: Callable[[str], None],
    ) -> None:
        self._rpc = rpc
        self._transactor = transactor
        self._deployer = deployer
        self._deployment = deployment
        self._path = path
        self._report = report

    @property
    def open(self) -> bool:
        """Whether play money may be made here."""
        return self._deployment.chain_id in DEVELOPMENT_CHAINS

    async def fund(self, wanted: Mapping[Address, tuple[str, Funds]]) -> None:
        """Give each address what it is due, once."""
        if not self.open:
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
        await anyio.to_thread.run_sync(self._deployment.save, self._path)

    async def give(self, address: Address, funds: Funds, name: str = "") -> None:
        """Money for one address, whether it had any before or not."""
        contracts = self._deployment.contracts
        await self.gas_money(address, int(funds.eth * ETH))
        if funds.infr and address != self._deployer.address:
            call = interface("INFR").functions["transfer"].call(address, funds.infr * INFR)
            await self._transactor.send(self._deployer, contracts["INFR"], call)
        if funds.usdc:
            call = interface("USDC").functions["mint"].call(address, funds.usdc * USDC)
            await self._transactor.send(self._deployer, contracts["USDC"], call)
        self._report(f"funded {name or address}")

    async def gas_money(self, address: Address, amount: int) -> None:
        """Fill an account up to `amount` wei."""
        missing = amount - await self._rpc.balance(address)
        if missing > 0:
            await self._transactor.send(FAUCET, address, b"", value=missing, gas=21_000)
