"""Reading a deployment back: does the chain have what the blueprint says, and nothing else?

Everything is derived from the blueprint that the manifest's terms draw, so what `deployment` does
is what is looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from eth_abi.exceptions import DecodingError

from infera.errors import NeedsOperatorError
from infera.protocol.abi import ZERO_ADDRESS, checksum_address

from ..contracts import interface
from ..rpc import RpcFailureError, unhex
from .blueprint import draw
from .executor import Placement
from .manifest import written
from .placing import create2_address, create_address, salt_of
from .terms import TIMELOCK, Terms, governor_of
from .verify_history import history, holders
from .wiring import acceptance, operation

if TYPE_CHECKING:
    from infera.types import Address

    from ..rpc import Rpc
    from .blueprint import Blueprint
    from .executor import Step
    from .manifest import Deployment
    from .parts import Creation, Read, Wire

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
"""EIP-1967."""

INITIALIZED_SLOT = "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
"""OpenZeppelin's Initializable (ERC-7201 `openzeppelin.storage.Initializable`)."""

LOCKED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    detail: str
    note: bool = False
    """Something to know rather than something that was compared."""


async def verify(rpc: Rpc, deployment: Deployment) -> list[Finding]:
    """Look at everything the manifest's blueprint names."""
    if not deployment.terms:
        raise NeedsOperatorError(
            "the manifest does not say on which terms it was deployed",
            code="deployment_differs",
            hint="it was written by an older version, or by hand: verify it with that version",
        )
    terms = Terms.model_validate(deployment.terms)
    blueprint = draw(terms)
    reader = _Reader(rpc, deployment, blueprint)
    if not reader.manifest():
        return reader.findings
    await reader.code()
    for creation in blueprint.creations:
        if creation.proxied:
            await reader.proxy(creation)
        if creation.owner:
            await reader.owner(creation)
        for read in creation.reads(reader.at):
            await reader.read(read)
    for wire in blueprint.wires:
        if not wire.transient:
            await reader.wire(wire)
    await reader.powers()
    await reader.notes()
    return reader.findings


class _Reader:
    def __init__(self, rpc: Rpc, record: Deployment, blueprint: Blueprint) -> None:
        self._rpc = rpc
        self._record = record
        self._blueprint = blueprint
        self._terms = blueprint.terms
        self._placement = Placement(blueprint, record, record.method, 0)
        self._held: list[str] = []
        """What the deployer owns."""
        self._waiting: list[str] = []
        """What the governor has yet to accept."""
        self.at = self._placement.at
        self.findings: list[Finding] = []

    def _say(self, what: str, good: bool, detail: str) -> None:
        self.findings.append(Finding(what, good, detail))

    def _note(self, what: str, detail: str) -> None:
        self.findings.append(Finding(what, True, detail, note=True))

    def _equal(self, what: str, found: Any, expected: Any) -> None:
        good = found == expected
        self._say(what, good, f"{found}" if good else f"is {found}, expected {expected}")

    async def _ask(self, contract: str, function: str, *args: Any) -> Any:
        known = interface(contract).functions[function]
        request = {"to": self.at(contract), "data": "0x" + known.call(*args).hex()}
        try:
            return written(known.result(unhex(await self._rpc.read("eth_call", request, "latest"))))
        except RpcFailureError as e:
            return f"unreadable ({e.rpc_message})"
        except DecodingError:  # what is no such contract answers with anything
            return "unreadable (no such function)"

    async def _slot(self, address: Address, slot: str) -> int:
        return int(await self._rpc.read("eth_getStorageAt", address, slot, "latest"), 16)

    # -- the manifest itself

    def manifest(self) -> bool:
        """Whether it names everything the blueprint does."""
        record = self._record
        missing = [n for n in self._blueprint.names if n not in record.contracts]
        missing += [
            f"{c.name} implementation"
            for c in self._blueprint.creations
            if c.proxied and c.name not in record.implementations
        ]
        for name in missing:
            self._say(f"{name} code", False, "is not in the manifest: the deployment broke off")
        unknown = [n for n in record.contracts if n not in self._blueprint.names]
        for name in unknown:
            self._say(f"{name} code", False, "is in the manifest but not in the blueprint")
        if not missing:
            for name, address in self._blueprint.external.items():
                self._equal(f"{name} address", record.contracts[name], address)
        return not missing

    # -- code

    async def code(self) -> None:
        """Of everything that is created, byte for byte; and how it came there."""
        from .verify_code import CodeError, expected_code

        for name in self._blueprint.external:
            if name == "USDC":  # the chain's own: not this project's code
                self._equal("USDC decimals", await self._ask("USDC", "decimals"), "6")
        try:
            right = await anyio.to_thread.run_sync(expected_code, self._blueprint, self._placement)
        except CodeError as e:
            self._say("code", False, f"cannot be built at the manifest's addresses: {e}")
            return
        steps = {step.label: step for step in self._placement.steps if step.creates}
        for label, code in right.items():
            address = steps[label].address if label in steps else self.at(label)
            await self._compare(label, address, code)
            if label in steps:
                await self._origin(steps[label])
            else:
                self._child(label)

    async def _compare(self, label: str, address: Address, right: bytes) -> None:
        found = await self._rpc.code(address)
        if not found:
            self._say(f"{label} code", False, f"there is no code at {address}")
        elif found == right:
            self._say(f"{label} code", True, f"{address}, {len(found):,} bytes")
        else:
            said = f"at {address} differs from what these sources compile to"
            source = self._record.sources.get(label)
            proxied = any(c.name == label and c.proxied for c in self._blueprint.creations)
            name = "Proxy" if proxied else label.removesuffix(" implementation")
            if source and source != interface(name).source_hash:
                said += "; the manifest names other sources"
            self._say(f"{label} code", False, said)

    async def _origin(self, step: Step) -> None:
        """That it was created by this very code with these very arguments."""
        what, record = f"{step.label} origin", self._record
        if record.method == "create2" and not step.pinned:
            expected = create2_address(salt_of(self._terms.salt, step.label), step.data)
            self._equal(what, step.address, expected)
            return
        tx = record.transactions.get(step.label)
        sent = await self._rpc.read("eth_getTransactionByHash", tx) if tx else None
        if sent is None:
            self._note(what, "no transaction is on record: storage it was born with is not checked")
            return
        created = create_address(checksum_address(unhex(sent["from"])), int(sent["nonce"], 16))
        good = created == step.address and unhex(sent["input"]) == step.data
        self._say(what, good, f"transaction {tx}" if good else f"is not transaction {tx}")

    def _child(self, name: str) -> None:
        maker, nonce = next(
            (c.name, c.makes[name]) for c in self._blueprint.creations if name in c.makes
        )
        expected = create_address(self.at(maker), nonce)
        self._equal(f"{name} origin", self.at(name), expected)

    # -- proxies and owners

    async def proxy(self, creation: Creation) -> None:
        """The code behind it, and that neither can be initialised by anybody."""
        name, address = creation.name, self.at(creation.name)
        implementation = self._placement.implementation(name)
        slot = await self._slot(address, IMPLEMENTATION_SLOT)
        found = checksum_address(slot.to_bytes(32, "big")[12:])
        self._equal(f"{name} implementation", found, implementation)
        admin = await self._slot(address, ADMIN_SLOT)
        if admin:
            self._say(f"{name} admin", False, f"has a proxy admin, 0x{admin:040x}; expected none")
        version = await self._slot(address, INITIALIZED_SLOT)
        self._equal(f"{name} initialised", str(version & LOCKED), "1")
        lock = await self._slot(implementation, INITIALIZED_SLOT)
        good = lock & LOCKED == LOCKED
        self._say(
            f"{name} implementation locked", good,
            "can never be initialised" if good else "can be initialised by anybody",
        )  # fmt: skip

    async def owner(self, creation: Creation) -> None:
        """Who owns it, and who is to."""
        name, deployer = creation.name, self._terms.deployer
        wanted = deployer if creation.owner == "deployer" else governor_of(self._terms, self.at)
        owner, pending = await self._ask(name, "owner"), None
        if "pendingOwner" in interface(name).functions:
            pending = await self._ask(name, "pendingOwner")
        if owner == deployer:
            self._held.append(name)
        if creation.owner == "handed" and owner == deployer != wanted and pending == wanted:
            self._waiting.append(name)
            self._say(f"{name} owner", True, f"{owner}; {wanted} has yet to accept it")
            return
        self._equal(f"{name} owner", owner, wanted)
        if pending not in (None, ZERO_ADDRESS, wanted):
            self._say(f"{name} pending owner", False, f"is {pending}, expected nobody")

    # -- values

    async def read(self, read: Read) -> None:
        """One value."""
        found = await self._ask(read.contract, read.function, *read.args)
        good = read.right(found)
        wanted = "something" if read.present else written(read.wanted)
        self._say(read.what, good, f"{found}" if good else f"is {found}, expected {wanted}")

    async def wire(self, wire: Wire) -> None:
        """That a call was made and still holds."""
        for read in wire.reads(self.at):
            await self.read(read)

    # -- powers

    async def powers(self) -> None:
        """Who holds what by the contracts' whole history; and what is left to the deployer."""
        record, blueprint = self._record, self._blueprint
        watched = {name: self.at(name) for name in {m.contract for m in blueprint.members}}
        proxies = {c.name: self.at(c.name) for c in blueprint.creations if c.proxied}
        logs = await history(self._rpc, watched | proxies, record.block)
        for power in blueprint.members:
            found = sorted(holders(logs, power))
            wanted = sorted(set(power.holders(self.at)))
            self._equal(f"{power.contract} {power.power}", found, wanted)
            if self._terms.deployer in found:
                self._held.append(f"{power.contract} ({power.power})")
        for name in proxies:
            upgrades = [
                event.args["implementation"]
                for event in logs
                if (event.contract, event.name) == (name, "Upgraded")
            ]
            self._equal(f"{name} upgrades", upgrades, [self._placement.implementation(name)])
        self._deployer()

    def _deployer(self) -> None:
        deployer = self._terms.deployer
        if self._terms.governor == deployer:
            self._note("deployer", f"{deployer} is the governor: one key decides everything")
            return
        left = sorted(set(self._held) - set(self._waiting))
        toys = {c.name for c in self._blueprint.creations if c.owner == "deployer"}
        left = [name for name in left if name not in toys]
        if left:
            self._say("deployer", False, f"{deployer} still has {', '.join(left)}")
        elif self._waiting:
            self._note(
                "deployer",
                f"{deployer} owns {', '.join(self._waiting)} until the governor accepts",
            )
        else:
            self._say("deployer", True, f"{deployer} holds no role anywhere")

    async def notes(self) -> None:
        """What there is not, and what has yet to come."""
        terms, launch = self._terms, self._terms.launch
        if self._waiting and terms.governor == TIMELOCK:
            batch = operation(acceptance(terms, self._blueprint.handed, self.at))
            when = await self._ask("InferaTimelock", "getTimestamp", batch)
            self._note(
                "acceptance", f"`infera contracts accept` carries it out from {when} (UTC seconds)"
            )
        if launch.price.feed is None:
            told = (
                "the development chain's own, set by its deployer" if terms.development
                else "none: minimum stakes are in INFR alone"
            )  # fmt: skip
            self._note("price feed", told)
        if launch.market.pool_factory is None:
            self._note("buyback", "none: its third of the fee goes to the treasury")
        if launch.market.pair_factory is None:
            self._note("market", "none: the INFR for liquidity stays where it is")
        if launch.disputes is None:
            self._note("disputes", "none: no step verifier was named")
        if launch.attestation.development:
            self._note("attestation", "takes roots of development vendors")
