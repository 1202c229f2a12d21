"""Bringing the contracts to any EVM chain: a plan of what is to stand where, and its execution, one
recorded step after the other.

Where the deterministic deployment proxy stands or can be put, addresses follow from the code and
its arguments alone (CREATE2): what stands already is found again without any record. Elsewhere they
follow from the deployer's nonces (CREATE), and the record is what is found again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import rlp  # type: ignore[import-untyped]
from eth_abi.exceptions import DecodingError

from infera.errors import ChainError, NeedsOperatorError
from infera.protocol.abi import checksum_address
from infera_ext import keccak256

from .contracts import PROTOCOL, interface
from .deploy import DEVELOPMENT_CHAINS, INFR_SUPPLY, Deployment, initial_arguments
from .gas import intrinsic_gas
from .rpc import RpcFailureError, unhex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infera.keys import Signer
    from infera.types import Address

    from .config import EvmConfig
    from .gas import Cost, Meter
    from .rpc import Rpc
    from .transactions import Receipt, Transactor

FACTORY: Address = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""The deterministic deployment proxy (https://github.com/Arachnid/deterministic-deployment-proxy):
the same address on every chain, because one transaction that nobody has the key of creates it.
"""

FACTORY_SENDER: Address = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
FACTORY_PRICE = 100_000 * 100 * 10**9
"""Gas limit times gas price of that transaction, in wei; both are fixed by its signature."""

FACTORY_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050"
    "506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a0222222222222"
    "2222222222222222222222222222222222222222222222222222"
)

INITIALISE_GAS = 400_000
"""More than any `initialize` takes; for steps that cannot be estimated before others stand."""

FACTORY_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be deployed."""

    deployer: Address
    treasury: Address
    """Gets all INFR and the protocol's fees."""
    config: EvmConfig
    usdc: Address | None = None
    salt: str = "infera"


@dataclass(frozen=True, slots=True)
class Step:
    """One contract to create."""

    label: str
    contract: str
    code: bytes
    address: Address
    arguments: dict[str, Any]
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Prospect:
    """A transaction that is still to be sent."""

    label: str
    address: Address
    cost: Cost
    arguments: dict[str, Any] = field(default_factory=dict)
    value: int = 0
    """Wei that go along."""


def written(value: Any) -> Any:
    """An argument as the manifest has it: JSON's numbers are too small for money."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return [written(v) for v in value]
    return value


def create2_address(salt: bytes, code: bytes) -> Address:
    """Where the factory puts this code (EIP-1014)."""
    parts = b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + keccak256(code)
    return checksum_address(keccak256(parts)[12:])


def create_address(sender: Address, nonce: int) -> Address:
    """Where a transaction with this nonce puts its contract."""
    return checksum_address(keccak256(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:])


def salt_of(salt: str, label: str) -> bytes:
    """The factory's salt for a step."""
    return keccak256(f"{salt}/{label}".encode())


def plan(
    terms: Terms, known: Deployment, place: Callable[[str, bytes], Address]
) -> tuple[dict[str, Address], list[Step]]:
    """(every contract's address, what is created in which order); see contracts/README.md.

    `place` says where a step that the record does not know will stand.
    """
    steps: list[Step] = []
    stand: dict[str, Address] = {}

    def create(label: str, contract: str, code: bytes, arguments: dict[str, Any]) -> Address:
        recorded = (
            known.contracts.get(contract)
            if label == contract
            else known.implementations.get(contract)
        )
        address = recorded or place(label, code)
        arguments = {name: written(value) for name, value in arguments.items()}
        steps.append(Step(label, contract, code, address, arguments, recorded is not None))
        return address

    def proxied(name: str, *args: Any) -> Address:
        contract = interface(name)
        implementation = create(f"{name} implementation", name, contract.creation(), {})
        initialize = contract.functions["initialize"]
        code = interface("Proxy").creation(implementation, initialize.call(*args))
        return create(name, name, code, dict(zip(initialize.names, args, strict=True)))

    allocations = [(terms.treasury, INFR_SUPPLY)]
    code = interface("INFR").creation(allocations)
    stand["INFR"] = create("INFR", "INFR", code, {"allocations": allocations})
    if terms.usdc is not None:
        stand["USDC"] = terms.usdc
    else:
        code = interface("USDC").creation(terms.deployer)
        stand["USDC"] = create("USDC", "USDC", code, {"owner": terms.deployer})
    for name in PROTOCOL:
        args = initial_arguments(name, terms.config, terms.deployer, terms.treasury, stand)
        stand[name] = proxied(name, *args)
    return stand, steps


async def require_usdc(rpc: Rpc, usdc: Address) -> None:
    """Refuse a token that the vault's sums would be wrong for."""
    if not await rpc.code(usdc):
        raise NeedsOperatorError(
            f"there is no contract at {usdc}", code="usdc_unusable", hint="is this the right chain?"
        )
    known = interface("USDC").functions["decimals"]
    try:
        answer = await rpc.read(
            "eth_call", {"to": usdc, "data": "0x" + known.call().hex()}, "latest"
        )
        decimals = known.result(unhex(answer))
    except (RpcFailureError, DecodingError) as e:
        raise NeedsOperatorError(f"{usdc} is no token", code="usdc_unusable") from e
    if decimals != 6:
        raise NeedsOperatorError(
            f"the token at {usdc} has {decimals} decimals, and USDC has 6", code="usdc_unusable"
        )


class Launch:
    """Puts the contracts on a chain. `prepare` looks and sends nothing; `run` sends."""

    def __init__(
        self,
        rpc: Rpc,
        transactor: Transactor,
        meter: Meter,
        signer: Signer,
        terms: Terms,
        deployment: Deployment,
        path: Path,
        *,
        governor: Address | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._rpc = rpc
        self._transactor = transactor
        self._meter = meter
        self._signer = signer
        self._terms = terms
        self.deployment = deployment
        self._path = path
        self._governor = governor
        self._report = report
        self.contracts: dict[str, Address] = {}
        self.steps: list[Step] = []
        self.method = ""
        self.factory_missing = False
        self._found: list[Address] = []

    @property
    def signer(self) -> Address:
        """Who sends."""
        return self._signer.address

    # -- looking

    async def prepare(self) -> list[Prospect]:
        """What is still to be sent."""
        terms, record = self._terms, self.deployment
        if terms.usdc is not None:
            await require_usdc(self._rpc, terms.usdc)
        elif "USDC" not in record.contracts and record.chain_id not in DEVELOPMENT_CHAINS:
            raise NeedsOperatorError(
                f"chain {record.chain_id} is no development chain: its USDC must be named",
                code="usdc_unusable",
                hint="--usdc ADDRESS, or `usdc:` in the configuration",
            )
        await self._recover()
        self.factory_missing = not await self._rpc.code(FACTORY)
        self.method = record.method or "create2"
        return await self._survey()

    async def _survey(self) -> list[Prospect]:
        nonce = int(
            await self._rpc.read("eth_getTransactionCount", self._signer.address, "pending"), 16
        )
        if self.method == "create2" and self.factory_missing:
            nonce += 1
        placed = 0

        def place(label: str, code: bytes) -> Address:
            nonlocal placed
            if self.method == "create2":
                return create2_address(salt_of(self._terms.salt, label), code)
            placed += 1
            return create_address(self._signer.address, nonce + placed - 1)

        self.contracts, self.steps = plan(self._terms, self.deployment, place)
        self._compare()
        found: list[Prospect] = []
        if (
            self.method == "create2"
            and self.factory_missing
            and not all(step.standing for step in self.steps)
        ):
            cost = await self._meter.cost(21_000, FACTORY_SENDER, b"", value=FACTORY_PRICE)
            value = max(0, FACTORY_PRICE - await self._rpc.balance(FACTORY_SENDER))
            found.append(Prospect("deterministic deployment proxy", FACTORY, cost, value=value))
        found += [
            Prospect(step.label, step.address, await self._price(step), step.arguments)
            for step in self.steps
            if not step.standing and not await self._stands(step)
        ]
        return found + await self._handovers(found)

    def _compare(self) -> None:
        """Refuse to go on with another plan than the one that was begun."""
        if self.deployment.salt not in ("", self._terms.salt):
            raise NeedsOperatorError(
                f"{self._path} was begun with salt {self.deployment.salt!r}",
                code="deployment_differs",
                hint="use the same --salt, or write another deployment with --out FILE",
            )
        for step in self.steps:
            before = self.deployment.arguments.get(step.label)
            if before is None or before == step.arguments:
                continue
            changed = [name for name in before if before[name] != step.arguments.get(name)]
            said = ", ".join(f"{n} {before[n]} not {step.arguments.get(n)}" for n in changed)
            raise NeedsOperatorError(
                f"{self._path} has {step.label} with {said}",
                code="deployment_differs",
                hint="use the same settings, or write another deployment with --out FILE",
            )
        usdc = self.deployment.contracts.get("USDC")
        if usdc not in (None, self.contracts["USDC"]):
            raise NeedsOperatorError(
                f"{self._path} has USDC {usdc}, not {self.contracts['USDC']}",
                code="deployment_differs",
                hint="use the same settings, or write another deployment with --out FILE",
            )

    async def _stands(self, step: Step) -> bool:
        """Under CREATE2 code at the address can only be this step's."""
        return self.method == "create2" and bool(await self._rpc.code(step.address))

    async def _price(self, step: Step) -> Cost:
        to, data = self._message(step)
        try:
            gas, exact = await self._transactor.estimate(self._signer.address, to, data), True
        except ChainError as e:
            if e.code == "chain_no_gas_money":
                raise
            implementation = interface("Proxy" if step.label in PROTOCOL else step.contract)
            size = len(implementation.bytecode)
            gas, exact = intrinsic_gas(data, creates=True) + 200 * size + INITIALISE_GAS, False
        return await self._meter.cost(gas, to, data, exact=exact)

    def _message(self, step: Step) -> tuple[Address | None, bytes]:
        if self.method == "create2":
            return FACTORY, salt_of(self._terms.salt, step.label) + step.code
        return None, step.code

    async def _handovers(self, found: list[Prospect]) -> list[Prospect]:
        """Transfers of ownership that are missing."""
        missing = {prospect.label for prospect in found}
        prospects = []
        for name in PROTOCOL if self._governor else ():
            if name not in missing and not await self._to_hand_over(name):
                continue
            call = interface(name).functions["transferOwnership"].call(self._governor)
            cost = await self._meter.cost(60_000, self.contracts[name], call, exact=False)
            prospects.append(
                Prospect(f"{name} to its governor", self.contracts[name], cost,
                         {"newOwner": self._governor})
            )  # fmt: skip
        return prospects

    async def _to_hand_over(self, name: str) -> bool:
        if self._governor is None:
            return False
        owner = await self._call(name, "owner")
        if owner == self._governor or await self._call(name, "pendingOwner") == self._governor:
            return False
        if owner != self._signer.address:
            raise NeedsOperatorError(
                f"{name} belongs to {owner}, and only its owner can hand it over",
                code="not_owner",
                hint="use --key of that account",
            )
        return True

    async def _call(self, contract: str, function: str) -> Any:
        known = interface(contract).functions[function]
        request = {"to": self.contracts[contract], "data": "0x" + known.call().hex()}
        return known.result(unhex(await self._rpc.read("eth_call", request, "latest")))

    # -- sending

    async def run(self) -> None:
        """Send what is missing. Whatever was sent is on disk before the next is."""
        record = self.deployment
        record.deployer = self._signer.address
        record.salt = self._terms.salt
        if self._governor:
            record.governor = self._governor
        if self.method == "create2" and self.factory_missing:
            if not await self._put_factory():
                self.method = "create"
                self._report(
                    "this chain refuses the deterministic deployment proxy: CREATE instead"
                )
            self.factory_missing = False
            await self._survey()
        record.method = self.method
        await self._save()
        for step in self.steps:
            if step.standing:
                self._describe(step)  # unless a run that broke off or a node has put it there
            else:
                await self._take(step)
        if self._terms.usdc is not None:
            record.contracts["USDC"] = self._terms.usdc
        for address in self._found:  # these may have had events before this record was begun
            record.block = min(record.block, await self._created_in(address, record.block))
        await self._save()
        for name in PROTOCOL:
            if await self._to_hand_over(name):
                call = interface(name).functions["transferOwnership"].call(self._governor)
                receipt = await self._transactor.send(self._signer, self.contracts[name], call)
                self._mined(f"{name} to its governor", receipt)
                await self._save()
                self._report(f"{name} is handed to {self._governor}, who has to accept it")

    async def _take(self, step: Step) -> None:
        record = self.deployment
        if not await self._stands(step):
            to, data = self._message(step)
            record.expected[step.label] = step.address
            await self._save()
            try:
                receipt = await self._transactor.send(self._signer, to, data)
            except ChainError:
                if not await self._stands(step):  # somebody else may just have put it there
                    raise
            else:
                self._mined(step.label, receipt)
                address = receipt.created or step.address
                if not await self._rpc.code(address):
                    raise ChainError(f"{step.label} is mined but has no code at {address}")
                await self._note(step, address)
                return
        self._found.append(step.address)
        await self._note(step, step.address)

    async def _created_in(self, address: Address, newest: int) -> int:
        """The first block that has code there, by bisection; 0 if the node keeps no old state."""
        first, last = 0, newest
        try:
            while first < last:
                middle = (first + last) // 2
                code = await self._rpc.read("eth_getCode", address, hex(middle))
                first, last = (first, middle) if len(code) > 2 else (middle + 1, last)
        except RpcFailureError:
            self._report("this node keeps no old state: events are looked for from block 0 on")
            return 0
        return first

    def _mined(self, label: str, receipt: Receipt) -> None:
        self.deployment.transactions[label] = "0x" + receipt.tx.hex()
        self.deployment.blocks[label] = receipt.block
        self._report(f"mined in block {receipt.block}: {label}, {receipt.gas_used:,} gas")

    def _describe(self, step: Step) -> None:
        record = self.deployment
        record.arguments.setdefault(step.label, step.arguments)
        proxy = step.label in PROTOCOL
        source = interface("Proxy" if proxy else step.contract).source_hash
        record.sources.setdefault(step.label, source)

    async def _note(self, step: Step, address: Address) -> None:
        record = self.deployment
        where = record.contracts if step.label == step.contract else record.implementations
        where[step.contract] = address
        record.expected.pop(step.label, None)
        self._describe(step)
        await self._save()
        self._report(f"{step.label} stands at {address}")
        if address != step.address:  # another program used a nonce: what follows moves too
            raise NeedsOperatorError(
                f"{step.label} was created at {address}, not at {step.address}: another program"
                f" sends from {self._signer.address}",
                hint="stop it, and run the same command again: it goes on from here",
            )

    async def _recover(self) -> None:
        """Take up what a run that broke off had sent but not noted (CREATE only: the factory's
        addresses say it themselves).
        """
        record = self.deployment
        for label, address in list(record.expected.items()):
            if await self._rpc.code(address):
                contract = label.removesuffix(" implementation")
                where = record.contracts if label == contract else record.implementations
                where.setdefault(contract, address)
                del record.expected[label]

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
        await anyio.to_thread.run_sync(self.deployment.save, self._path)
