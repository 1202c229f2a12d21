"""New code behind a proxy that stands: what speaks against it, and the steps there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import ChainError, InferaError, NeedsOperatorError
from infera.protocol.abi import checksum_address
from infera_ext import keccak256

from ..binding import Call, find
from ..contracts import interface
from ..rpc import RpcFailureError, unhex
from ..transactions import refusal
from .layout import Clash, Layout, clashes, layout_of
from .placing import FACTORY, create2_address

if TYPE_CHECKING:
    from infera.keys import Signer
    from infera.types import Address

    from ..commands.desk import Desk
    from .manifest import Deployment

LARGEST_CODE = 24_576
"""EIP-170."""
IMPLEMENTATION_SLOT = (
    int.from_bytes(keccak256(b"eip1967.proxy.implementation"), "big") - 1
).to_bytes(32, "big")
"""EIP-1967; also what `proxiableUUID` says (ERC-1822)."""
INITIALIZED_SLOT = "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
"""ERC-7201 slot of `openzeppelin.storage.Initializable`."""
NEVER = 2**64 - 1
"""The version of a contract whose initialisers are disabled."""
SALT = b"\x00" * 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """Code to upgrade to."""

    contract: str
    creation: bytes
    source_hash: str
    layout: Layout


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there now, next to a candidate."""

    proxy: Address
    implementation: Address
    source_hash: str
    owner: Address | None
    """Who may upgrade; None: the contract has no owner."""
    remarks: tuple[Clash, ...]
    """What a person should look at, none of it grave."""


def _refused(problem: str, hint: str) -> InferaError:
    return InferaError(problem, code="upgrade_refused", hint=hint)


def candidate_of(contract: str) -> Candidate:
    """What this version of INFERA has for a contract."""
    known = interface(contract)
    layout = layout_of(contract, known.source_hash)
    if layout is None:
        raise _refused(f"{contract} is not upgradeable", "deploy another, and point to it")
    return Candidate(contract, known.creation(), known.source_hash, layout)


async def examine(desk: Desk, record: Deployment, candidate: Candidate) -> Standing:
    """Compare a candidate with what stands; refuses what would misread the state."""
    name, proxy = candidate.contract, find(desk, candidate.contract)
    slot = await desk.rpc.read(
        "eth_getStorageAt", proxy, "0x" + IMPLEMENTATION_SLOT.hex(), "latest"
    )
    implementation = checksum_address(unhex(slot)[-20:])
    source = record.sources.get(implementation, "")
    if not source and record.implementations.get(name) == implementation:
        source = record.sources.get(name, "")
    before = layout_of(name, source)
    if before is None:
        raise _refused(
            f"nothing here says what {name} at {implementation} was built from",
            "use the manifest of the deployment, and a version that knows its sources",
        )
    found = clashes(before, candidate.layout)
    grave = [str(clash) for clash in found if clash.grave]
    if grave:
        raise _refused(
            f"the new {name} would misread its state: {'; '.join(grave)}",
            "keep every old variable where it is, and add new ones at the end",
        )
    await _fits(desk, candidate)
    try:
        owner = await desk.read(name, "owner")
    except (KeyError, InferaError):
        owner = None
    return Standing(proxy, implementation, source, owner, tuple(found))


async def _fits(desk: Desk, candidate: Candidate) -> None:
    request = {"data": "0x" + candidate.creation.hex(), "from": FACTORY}
    hint = f"code may be {LARGEST_CODE} bytes long, and its constructor must not fail"
    try:
        code = unhex(await desk.rpc.read("eth_call", request, "latest"))
    except RpcFailureError as e:
        said = refusal(e)
        raise _refused(f"the chain does not take the new {candidate.contract}: {said}", hint) from e
    if not 0 < len(code) <= LARGEST_CODE:
        raise _refused(f"the new {candidate.contract} is {len(code)} bytes long", hint)


async def put(desk: Desk, signer: Signer, candidate: Candidate) -> Address:
    """Create the implementation, unless it stands, and look at it before anything points to it."""
    made: Address | None
    if await desk.rpc.code(FACTORY):
        made = create2_address(SALT, candidate.creation)
        if not await desk.rpc.code(made):
            await desk.transactor.send(signer, FACTORY, SALT + candidate.creation)
    else:
        made = (await desk.transactor.send(signer, None, candidate.creation)).created
    if made is None or not await desk.rpc.code(made):
        raise ChainError(f"the new {candidate.contract} was not created")
    await inspect(desk, made)
    return made


async def inspect(desk: Desk, implementation: Address) -> None:
    """Refuse an implementation that is none, or that a stranger could make their own."""
    known = interface("StakeRegistry").functions["proxiableUUID"]
    try:
        uuid = await desk.ask(implementation, known.call())
    except (ChainError, NeedsOperatorError):
        uuid = b""
    if uuid != IMPLEMENTATION_SLOT:
        raise _refused(
            f"{implementation} is no UUPS implementation: its proxiableUUID is"
            f" {'missing' if not uuid else '0x' + uuid.hex()}",
            "a proxy that points to it could never be upgraded again",
        )
    version = await desk.rpc.read("eth_getStorageAt", implementation, INITIALIZED_SLOT, "latest")
    if int(version, 16) & NEVER != NEVER:
        raise _refused(
            f"anybody can initialise {implementation}",
            "its constructor has to call _disableInitializers()",
        )


def upgrade_call(standing: Standing, contract: str, implementation: Address, data: bytes) -> Call:
    """The call that makes the proxy run the new code; the owner sends it, or a vote does."""
    known = interface(contract).functions["upgradeToAndCall"]
    return Call.of(contract, standing.proxy, known, implementation, data)
