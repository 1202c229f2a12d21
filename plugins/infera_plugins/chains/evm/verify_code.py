"""What code a contract has at an address, by running its creation code there, on this machine.

Immutables (an implementation's own address, a domain separator) come out as they must: the creation
code runs with that address and chain id, so the result is compared byte for byte. The chain's node
is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth_typing import Address as RawAddress

from .contracts import interface
from .deploy import INFR_SUPPLY

if TYPE_CHECKING:
    from eth.typing import AccountDetails

    from infera.types import Address

_GAS = 100_000_000
_ANYBODY: Address = "0x" + "11" * 20
_STUB: Address = "0x" + "22" * 20
"""Stands in for a proxy's implementation: takes any call and does nothing."""

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    # No constructor argument ends up in code: any that are accepted do.
    "INFR": ([(_ANYBODY, INFR_SUPPLY)],),
    "USDC": (_ANYBODY,),
    "Proxy": (_STUB, b"\x01"),
}


def _raw(address: Address) -> RawAddress:
    return RawAddress(bytes.fromhex(address[2:]))


def expected_code(name: str, address: Address, chain_id: int) -> bytes:
    """The named contract's runtime code at an address of a chain."""
    creation = interface(name).creation(*_ARGUMENTS.get(name, ()))
    fork = MiningChain.configure("Scratch", vm_configuration=((0, CancunVM),), chain_id=chain_id)
    stub: AccountDetails = {"nonce": 1, "balance": 0, "code": b"\x00", "storage": {}}
    chain = fork.from_genesis(
        AtomicDB(),
        {"difficulty": 0, "gas_limit": 30_000_000, "timestamp": 1},
        {_raw(_STUB): stub},
    )
    nobody = _raw(_ANYBODY)
    done = chain.get_vm().execute_bytecode(
        origin=nobody,
        gas_price=0,
        gas=_GAS,
        to=_raw(address),
        sender=nobody,
        value=0,
        data=b"",
        code=creation,
    )
    if done.is_error:
        raise ValueError(f"the creation code of {name} fails: {done.error}")
    return bytes(done.output)
