"""What a job costs and who gets what of it (docs/protocol.md §2 and §3).

All integers, all rounding in the payer's favour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from infera.errors import ProtocolError

if TYPE_CHECKING:
    from infera.types import MicroUSDC

ROUTER_FEE_BPS = 150
PROTOCOL_FEE_BPS = 150
BPS = 10_000
_TOKENS = 1_000_000


class Fees(NamedTuple):
    """The parts of a cost in micro-USDC; they add up to it."""

    router: MicroUSDC
    protocol: MicroUSDC
    provider: MicroUSDC


def cost(
    tokens_in: int, tokens_out: int, price_in: int, price_out: int, premium_bps: int
) -> MicroUSDC:
    """floor((in·price_in + out·price_out)·(10000 + premium)/(10000·10^6)) micro-USDC; prices per
    million tokens.
    """
    if min(tokens_in, tokens_out, price_in, price_out, premium_bps) < 0:
        raise ProtocolError("token counts and prices cannot be negative")
    return (tokens_in * price_in + tokens_out * price_out) * (BPS + premium_bps) // (BPS * _TOKENS)


def fees(
    cost: MicroUSDC, router_fee_bps: int = ROUTER_FEE_BPS, protocol_fee_bps: int = PROTOCOL_FEE_BPS
) -> Fees:
    """Split one job's cost; each fee is floored, the provider gets the rest."""
    router = cost * router_fee_bps // BPS
    protocol = cost * protocol_fee_bps // BPS
    return Fees(router, protocol, cost - router - protocol)
