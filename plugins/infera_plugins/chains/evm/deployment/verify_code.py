"""What code the contracts of a blueprint have, by building all of them here.

The creation code runs on this machine, for each contract's own address and chain, with the
arguments of the blueprint and after what it calls; so immutables, nested creations and initialisers
come out as they must, and the result is compared byte for byte. The chain's node is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth_typing import Address as RawAddress

from ..embedded.vm import EmbeddedVM
from .placing import FACTORY

if TYPE_CHECKING:
    from eth.typing import AccountDetails

    from infera.types import Address

    from .blueprint import Blueprint
    from .executor import Placement

_GAS = 100_000_000
_ANSWERS = bytes.fromhex("600160005260206000f3")
"""Stands in for contracts of others: answers every question with 1."""


class CodeError(Exception):
    """A contract of the blueprint cannot be built."""


def _raw(address: Address) -> RawAddress:
    return RawAddress(bytes.fromhex(address[2:]))


class Workshop:
    """A chain in memory to build contracts on, at addresses of one's choice."""

    def __init__(self, chain_id: int, timestamp: int) -> None:
        fork = MiningChain.configure(
            "Workshop", vm_configuration=((0, EmbeddedVM),), chain_id=chain_id
        )
        account: AccountDetails = {
            "nonce": 1, "balance": 10**30, "code": b"\x00", "storage": {}
        }  # fmt: skip
        parameters: Any = {"difficulty": 0, "gas_limit": 30_000_000, "timestamp": timestamp}
        chain = fork.from_genesis(AtomicDB(), parameters, {_raw(FACTORY): account})
        self._vm = chain.get_vm(chain.get_canonical_head())  # at that very time

    def put(self, address: Address, code: bytes) -> None:
        """Have this code there."""
        self._vm.state.set_code(_raw(address), code)

    def code(self, address: Address) -> bytes:
        """What stands there."""
        return bytes(self._vm.state.get_code(_raw(address)))

    def build(self, address: Address, creation: bytes) -> bytes:
        """Run creation code there; returns what it leaves. Raises `CodeError` if it fails."""
        nobody = _raw(FACTORY)
        self._vm.state.set_nonce(_raw(address), 1)  # EIP-161
        done = self._vm.execute_bytecode(
            origin=nobody, gas_price=0, gas=_GAS, to=_raw(address), sender=nobody, value=0,
            data=b"", code=creation,
        )  # fmt: skip
        if done.is_error:
            raise CodeError(f"the creation code for {address} fails: {done.error}")
        self.put(address, bytes(done.output))
        return bytes(done.output)


def expected_code(blueprint: Blueprint, placement: Placement) -> dict[str, bytes]:
    """The runtime code of everything the blueprint creates, by label."""
    terms = blueprint.terms
    workshop = Workshop(terms.chain_id, terms.start)
    for address in blueprint.foreign.values():
        workshop.put(address, _ANSWERS)
    found: dict[str, bytes] = {}
    for step in placement.steps:
        if step.creates:
            found[step.label] = workshop.build(step.address, step.data)
    for creation in blueprint.creations:
        for child in creation.makes:
            found[child] = workshop.code(placement.at(child))
    return found
