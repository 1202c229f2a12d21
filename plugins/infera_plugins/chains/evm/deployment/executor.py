"""Carrying out a blueprint on a chain, one recorded step after the other.

Where the deterministic deployment proxy stands or can be put, addresses follow from the code and
its arguments alone (CREATE2): what stands already is found again. Elsewhere they follow from the
deployer's nonces (CREATE), and the record is what is found again. A call is made only if its getter
does not say already what it is to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from infera.errors import ChainError, NeedsOperatorError

from ..contracts import interface
from ..rpc import RpcFailureError, unhex
from .manifest import written
from .parts import Creation, Wire
from .placing import (
    FACTORY,
    FACTORY_PRICE,
    FACTORY_SENDER,
    FACTORY_TRANSACTION,
    create2_address,
    create_address,
    salt_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infera.keys import Signer
    from infera.types import Address

    from ..rpc import Rpc
    from ..transactions import Receipt, Transactor
    from .blueprint import Blueprint
    from .manifest import Deployment
    from .parts import Read

FACTORY_WAIT_S = 120.0
SETTLE_S = 180.0
"""How long to wait for what an earlier run sent."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: a contract to create, or a call."""

    label: str
    name: str
    """The contract's in the manifest."""
    address: Address
    """Of the contract that is created or called."""
    data: bytes
    arguments: dict[str, Any] = field(default_factory=dict)
    creates: bool = True
    pinned: bool = False


class Placement:
    """Where everything stands or will stand, and the code that puts it there."""

    def __init__(self, blueprint: Blueprint, record: Deployment, method: str, nonce: int) -> None:
        self._blueprint = blueprint
        self._record = record
        self._method = method
        self._nonce = nonce
        self._creations = {c.name: c for c in blueprint.creations}
        self._makers = {n: (c.name, at) for c in blueprint.creations for n, at in c.makes.items()}
        self._order = {label: i for i, label in enumerate(self._missing())}
        self._known: dict[str, Address] = {**blueprint.external, **blueprint.foreign}

    def _missing(self) -> Iterator[str]:
        for step in self._blueprint.steps:
            if isinstance(step, Wire):
                if step.contract in self._blueprint.foreign:
                    yield step.label  # what is called in between takes a nonce too
                continue
            if step.proxied and step.name not in self._record.implementations:
                yield f"{step.name} implementation"
            if step.name not in self._record.contracts:
                yield step.name

    def at(self, name: str) -> Address:
        """Where the contract of this name stands or will stand."""
        if name not in self._known:
            self._known[name] = self._record.contracts.get(name) or self._made_at(name)
        return self._known[name]

    def implementation(self, name: str) -> Address:
        """Where the code behind a proxy stands or will stand."""
        recorded = self._record.implementations.get(name)
        return recorded or self._place(f"{name} implementation", interface(name).creation())

    def _made_at(self, name: str) -> Address:
        if name in self._makers:
            maker, nonce = self._makers[name]
            return create_address(self.at(maker), nonce)
        if self._creations[name].pinned:
            return create_address(self._deployer, self._nonce + self._order[name])
        if self._method == "create":  # whose code may name it: do not ask for that first
            return self._place(name, b"")
        return self._place(name, self.code(self._creations[name]))

    def _place(self, label: str, code: bytes) -> Address:
        if self._method == "create":
            return create_address(self._deployer, self._nonce + self._order[label])
        return create2_address(salt_of(self._blueprint.terms.salt, label), code)

    @property
    def _deployer(self) -> Address:
        return self._blueprint.terms.deployer

    def code(self, creation: Creation) -> bytes:
        """Creation code with its arguments; of the proxy if there is one."""
        contract, given = interface(creation.name), creation.arguments(self.at).values()
        if not creation.proxied:
            return contract.creation(*given)
        call = contract.functions["initialize"].call(*given)
        return interface("Proxy").creation(self.implementation(creation.name), call)

    @cached_property
    def steps(self) -> list[Step]:
        """Everything, in order, what stands already included."""
        steps = []
        for part in self._blueprint.steps:
            if isinstance(part, Wire):
                values = part.arguments(self.at)
                known = interface(part.contract).functions[part.function]
                shown = dict(zip(known.names, (written(v) for v in values), strict=True))
                steps.append(Step(part.label, part.contract, self.at(part.contract),
                                  known.call(*values), shown, creates=False))  # fmt: skip
                continue
            if part.proxied:
                code = interface(part.name).creation()
                label = f"{part.name} implementation"
                steps.append(Step(label, part.name, self.implementation(part.name), code))
            given = {n: written(v) for n, v in part.arguments(self.at).items()}
            steps.append(Step(part.name, part.name, self.at(part.name), self.code(part), given,
                              pinned=part.pinned))  # fmt: skip
        return steps


class Deployer:
    """Puts a blueprint's contracts on a chain. `survey` looks and sends nothing; `run` sends.

    `together`: hand all creations to the node at once, and then all calls; for chains that estimate
    no gas.
    """

    def __init__(
        self,
        rpc: Rpc,
        transactor: Transactor,
        signer: Signer,
        blueprint: Blueprint,
        record: Deployment,
        path: Path,
        *,
        together: bool = False,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._rpc = rpc
        self._transactor = transactor
        self._signer = signer
        self.blueprint = blueprint
        self.record = record
        self._path = path
        self._together = together
        self._report = report
        self.method = record.method or ("create" if together else "create2")
        self.factory_missing = False
        self.placement = Placement(blueprint, record, self.method, 0)

    @property
    def signer(self) -> Address:
        """Who sends."""
        return self._signer.address

    # -- looking

    async def survey(self) -> list[Step]:
        """What is still to be sent, in order."""
        self._compare_terms()
        await self._settle()
        await self._recover()
        self.factory_missing = self.method == "create2" and not await self._rpc.code(FACTORY)
        return await self._look()

    async def _look(self) -> list[Step]:
        nonce = await self._nonce("pending")
        if self.factory_missing and await self._rpc.balance(FACTORY_SENDER) < FACTORY_PRICE:
            nonce += 1  # the factory is paid for first
        self.placement = Placement(self.blueprint, self.record, self.method, nonce)
        self._compare_arguments()
        wires = {wire.label: wire for wire in self.blueprint.wires}
        missing: list[Step] = []
        coming: set[str] = set()  # a getter of what is yet to come has no answer
        for step in self.placement.steps:
            if step.creates:
                if not await self._stands(step):
                    missing.append(step)
                    coming.update((step.name, *self._makes(step.name)))
            else:
                wire = wires[step.label]
                unborn = coming.intersection({step.name, *_askees(wire)})
                if unborn or not await self.done(wire):
                    missing.append(step)
        return missing

    def _makes(self, name: str) -> Mapping[str, int]:
        return next(c.makes for c in self.blueprint.creations if c.name == name)

    def children(self, step: Step) -> list[Address]:
        """What a step's contract creates itself."""
        return [self.placement.at(name) for name in self._makes(step.name)]

    async def _stands(self, step: Step) -> bool:
        recorded = self.record.contracts if step.label == step.name else self.record.implementations
        if step.name in recorded:
            return True
        # Under CREATE2 code at the address can only be this step's.
        if self.method != "create2" or step.pinned or not await self._rpc.code(step.address):
            return False
        self._note(step, step.address)
        self.record.block = min(self.record.block, await self._created_in(step.address))
        return True

    async def done(self, wire: Wire) -> bool:
        """Whether a getter says that the call was made."""
        for read in wire.reads(self.placement.at):
            if read.right(await self.ask(read)):
                return True
        return False

    async def ask(self, read: Read) -> Any:
        """A getter's answer, as `written` has it; None if there is none."""
        known = interface(read.contract).functions[read.function]
        request = {
            "to": self.placement.at(read.contract),
            "data": "0x" + known.call(*read.args).hex(),
        }
        try:
            answer = unhex(await self._rpc.read("eth_call", request, "latest"))
        except RpcFailureError:
            return None
        return written(known.result(answer)) if answer else None

    async def _nonce(self, block: str) -> int:
        return int(await self._rpc.read("eth_getTransactionCount", self._signer.address, block), 16)

    def _compare_terms(self) -> None:
        """Refuse to go on on other terms than those it was begun on."""
        from .terms import Terms

        if not self.record.terms:
            if self.record.contracts:
                raise NeedsOperatorError(
                    f"{self._path} is of a deployment of the settlement contracts alone",
                    code="deployment_differs",
                    hint="deploy a whole network with --out FILE, or go on without",
                )
            return
        before = Terms.model_validate(self.record.terms)
        if changed := before.differences(self.blueprint.terms):
            raise NeedsOperatorError(
                f"{self._path} was begun with {', '.join(changed)}",
                code="deployment_differs",
                hint="use the same settings, or write another deployment with --out FILE",
            )

    def _compare_arguments(self) -> None:
        """Refuse to go on if what stands was built for contracts that cannot come where it looks
        for them: another program has sent from this account in between.
        """
        for step in self.placement.steps:
            before = self.record.arguments.get(step.label)
            if before is not None and before != step.arguments:
                raise NeedsOperatorError(
                    f"{step.label} was built for other contracts than can still be made:"
                    f" another program has sent from {self._signer.address}",
                    code="deployment_differs",
                    hint="stop it, and start over with --out FILE",
                )

    async def _settle(self) -> None:
        """Wait for what an earlier run sent, so that it is neither sent twice nor missed."""
        if not self.record.expected:
            return
        with anyio.move_on_after(SETTLE_S):
            while await self._nonce("latest") < await self._nonce("pending"):
                await self._rpc.sleep(0.5)
            return
        raise ChainError(
            f"a transaction of {self._signer.address} is not mined yet",
            hint="run the same command again when it is",
        )

    async def _recover(self) -> None:
        """Take up what a run that broke off had sent but not noted."""
        for label, address in list(self.record.expected.items()):
            if await self._rpc.code(address):
                name = label.removesuffix(" implementation")
                where = self.record.contracts if label == name else self.record.implementations
                where.setdefault(name, address)
                if label == name:
                    self._note_children(name, address)
            else:
                self.record.arguments.pop(label, None)
            del self.record.expected[label]

    # -- sending

    async def run(self) -> None:
        """Send what is missing. Whatever is sent is on disk before."""
        record, terms = self.record, self.blueprint.terms
        missing = await self.survey()
        record.terms = terms.model_dump(mode="json")
        record.deployer, record.salt = self._signer.address, terms.salt
        record.governor = self.placement.at("InferaTimelock")
        if terms.governor != "timelock":
            record.governor = terms.governor
        if self.factory_missing and any(step.creates for step in missing):
            if not await self._put_factory():
                self.method = "create"
                self._report(
                    "this chain refuses the deterministic deployment proxy: CREATE instead"
                )
            self.factory_missing = False
            missing = await self._look()
        record.method = self.method
        record.contracts.update(self.blueprint.external)
        await self._save()
        for creating, group in groupby(missing, lambda step: step.creates):
            steps = list(group)
            for part in [steps] if self._together else [[step] for step in steps]:
                await (self._create(part) if creating else self._call(part))
        record.finished = True
        await self._save()

    async def _create(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.record.expected[step.label] = step.address
            self.record.arguments[step.label] = step.arguments
        await self._save()
        try:
            receipts = await self._send(steps)
        except ChainError:
            # Somebody else may just have put it there.
            if self._together or not await self._stands(steps[0]):
                raise
            await self._save()
            return
        for step, receipt in zip(steps, receipts, strict=True):
            self._mined(step.label, receipt)
            address = receipt.created or step.address
            if address != step.address:  # another program used a nonce: nothing fits any more
                self.record.expected.pop(step.label)
                self.record.arguments.pop(step.label)
                await self._save()
                raise NeedsOperatorError(
                    f"{step.label} was created at {address}, not at {step.address}: another"
                    f" program sends from {self._signer.address}",
                    hint="stop it, and run the same command again",
                )
            self._note(step, address)
        if not self._together and not await self._rpc.code(steps[0].address):
            raise ChainError(f"{steps[0].label} is mined but has no code at {steps[0].address}")
        await self._save()

    async def _call(self, steps: Sequence[Step]) -> None:
        for step, receipt in zip(steps, await self._send(steps), strict=True):
            self._mined(step.label, receipt)
        await self._save()

    async def _send(self, steps: Sequence[Step]) -> list[Receipt]:
        return await self._transactor.send_all(self._signer, [self.message(s) for s in steps])

    def message(self, step: Step) -> tuple[Address | None, bytes]:
        """(recipient, data) of a step's transaction."""
        if not step.creates:
            return step.address, step.data
        if self.method == "create2" and not step.pinned:
            return FACTORY, salt_of(self.blueprint.terms.salt, step.label) + step.data
        return None, step.data

    def _mined(self, label: str, receipt: Receipt) -> None:
        self.record.transactions[label] = "0x" + receipt.tx.hex()
        self.record.blocks[label] = receipt.block
        if not self._together:
            self._report(f"mined in block {receipt.block}: {label}, {receipt.gas_used:,} gas")

    def _note(self, step: Step, address: Address) -> None:
        record = self.record
        whole = step.label == step.name
        (record.contracts if whole else record.implementations)[step.name] = address
        record.expected.pop(step.label, None)
        record.arguments[step.label] = step.arguments
        proxied = step.name in {c.name for c in self.blueprint.creations if c.proxied}
        contract = "Proxy" if proxied and whole else step.name
        record.sources[step.label] = interface(contract).source_hash
        if whole:
            self._report(f"{step.label} stands at {address}")
            self._note_children(step.name, address)

    def _note_children(self, name: str, address: Address) -> None:
        for child, nonce in self._makes(name).items():
            self.record.contracts[child] = create_address(address, nonce)
            self._report(f"{child} stands at {self.record.contracts[child]}")

    async def _created_in(self, address: Address) -> int:
        """The first block that has code there, by bisection; 0 if the node keeps no old state."""
        first, last = 0, self.record.block
        try:
            while first < last:
                middle = (first + last) // 2
                code = await self._rpc.read("eth_getCode", address, hex(middle))
                first, last = (first, middle) if len(code) > 2 else (middle + 1, last)
        except RpcFailureError:
            self._report("this node keeps no old state: events are looked for from block 0 on")
            return 0
        return first

    async def _put_factory(self) -> bool:
        """Whether the deterministic deployment proxy stands at last.

        Its transaction is signed for no chain in particular, and some chains refuse that: ask
        before paying for it.
        """
        raw = "0x" + FACTORY_TRANSACTION.hex()
        try:
            await self._rpc.read("eth_sendRawTransaction", raw)
        except RpcFailureError as e:
            words = e.rpc_message.lower()
            if not any(w in words for w in ("insufficient", "funds", "balance", "afford")):
                return False
            missing = FACTORY_PRICE - await self._rpc.balance(FACTORY_SENDER)
            if missing > 0:
                await self._transactor.send(self._signer, FACTORY_SENDER, b"", value=missing)
            try:
                await self._rpc.read("eth_sendRawTransaction", raw)
            except RpcFailureError:
                return False
        with anyio.move_on_after(FACTORY_WAIT_S):
            while not await self._rpc.code(FACTORY):
                await self._rpc.sleep(0.2)
            self._report(f"the deterministic deployment proxy stands at {FACTORY}")
            return True
        return False

    async def _save(self) -> None:
        record = replace(self.record)
        await anyio.to_thread.run_sync(record.save, self._path)


def _askees(wire: Wire) -> set[str]:
    """Whom a call is about, without an address yet to be known."""
    return {read.contract for read in wire.reads(lambda name: "0x" + "00" * 20)}
