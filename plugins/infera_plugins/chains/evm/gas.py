"""What a transaction costs before it is sent: gas here, and on an OP-stack chain also the fee for
its data on the chain below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import rlp  # type: ignore[import-untyped]
from eth_abi.abi import decode, encode

from infera_ext import keccak256

from .rpc import RpcFailureError, unhex

if TYPE_CHECKING:
    from infera.types import Address

    from .rpc import Rpc
    from .transactions import Transactor

ORACLE: Address = "0x420000000000000000000000000000000000000F"
"""GasPriceOracle, where every OP-stack chain has it
(https://docs.optimism.io/chain/addresses, "Predeploys").
"""

_L1_FEE = keccak256(b"getL1Fee(bytes)")[:4]
GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one transaction, in wei where nothing else is said."""

    gas: int
    price: int
    """Per gas, at the newest block's base fee."""
    ceiling: int
    """Per gas, the most that is offered."""
    l1_fee: int | None
    """For the data on the chain below; None where there is none."""
    exact: bool = True
    """Whether the node estimated the gas; else it is a bound from the code's size."""

    @property
    def expected(self) -> int:
        """At today's price."""
        return self.gas * self.price + (self.l1_fee or 0)

    @property
    def most(self) -> int:
        """At the highest price that is offered."""
        return self.gas * self.ceiling + (self.l1_fee or 0)


class Meter:
    """Prices transactions on one chain."""

    def __init__(self, rpc: Rpc, transactor: Transactor, chain_id: int) -> None:
        self._rpc = rpc
        self._transactor = transactor
        self._chain_id = chain_id
        self._has_oracle: bool | None = None

    async def cost(
        self, gas: int, to: Address | None, data: bytes, *, value: int = 0, exact: bool = True
    ) -> Cost:
        """What a transaction with this gas and these bytes costs now."""
        fees = await self._transactor.fees()
        body = [
            self._chain_id, 0xFFFF, fees.tip, fees.ceiling, gas,
            bytes.fromhex(to[2:]) if to else b"", value, data, [],
        ]  # fmt: skip
        l1_fee = await self.l1_fee(b"\x02" + rlp.encode(body))
        # `ceiling` is twice the base fee and the tip (transactions.Transactor.fees).
        price = (fees.ceiling - fees.tip) // 2 + fees.tip
        return Cost(gas, price, fees.ceiling, l1_fee, exact)

    async def l1_fee(self, unsigned: bytes) -> int | None:
        """Wei for an unsigned transaction's bytes; None if the chain has no such fee.

        The oracle itself adds what a signature takes.
        """
        if self._has_oracle is None:
            self._has_oracle = bool(await self._rpc.code(ORACLE))
        if not self._has_oracle:
            return None
        request = {"to": ORACLE, "data": "0x" + (_L1_FEE + encode(["bytes"], [unsigned])).hex()}
        try:
            answer = unhex(await self._rpc.read("eth_call", request, "latest"))
        except RpcFailureError:
            answer = b""
        if len(answer) != 32:
            self._has_oracle = False
            return None
        fee: int = decode(["uint256"], answer)[0]
        return fee


def intrinsic_gas(data: bytes, *, creates: bool) -> int:
    """What a transaction takes before it runs (EIP-2028, EIP-3860)."""
    zeros = data.count(0)
    gas = 21_000 + 4 * zeros + 16 * (len(data) - zeros)
    return gas + (32_000 + 2 * ((len(data) + 31) // 32) if creates else 0)
