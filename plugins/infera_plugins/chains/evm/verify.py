"""Reading a deployment back: does the chain have what the manifest says, and is it this code?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from eth_abi.exceptions import DecodingError

from infera.protocol.abi import checksum_address

from .contracts import PROTOCOL, interface
from .deployment import written
from .rpc import RpcFailureError, unhex

if TYPE_CHECKING:
    from infera.types import Address

    from .deploy import Deployment
    from .rpc import Rpc

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
"""EIP-1967."""

INITIALIZED_SLOT = "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
"""OpenZeppelin's Initializable (ERC-7201 `openzeppelin.storage.Initializable`)."""

LOCKED = 2**64 - 1

_GETTERS: dict[str, dict[str, str]] = {
    "StakeRegistry": {"unbondingPeriod_": "unbondingPeriod"},
    "JobRegistry": {"challengeWindow_": "challengeWindow"},
    "PaymentVault": {"thawPeriod_": "thawPeriod"},
}
"""Which function reads back which argument of `initialize`."""

_MINIMUMS = {"minimumProvider": 1, "minimumRouter": 2, "minimumValidator": 3}
_RECIPIENTS = ("treasury", "validators", "buyback")
_FEES = (150, 150)
_SLACK_S = 3600
"""What PaymentVault starts with (contracts/README.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    detail: str


async def verify(rpc: Rpc, deployment: Deployment) -> list[Finding]:
    """Look at everything the manifest names."""
    reader = _Reader(rpc, deployment)
    await reader.code()
    for name in PROTOCOL:
        if name in deployment.contracts:
            await reader.proxy(name)
            await reader.owner(name)
            await reader.parameters(name)
    await reader.wiring()
    return reader.findings


class _Reader:
    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self.findings: list[Finding] = []

    def _say(self, what: str, good: bool, detail: str) -> None:
        self.findings.append(Finding(what, good, detail))

    def _equal(self, what: str, found: Any, expected: Any) -> None:
        good = found == expected
        self._say(what, good, f"{found}" if good else f"is {found}, expected {expected}")

    async def _call(self, contract: str, function: str, *args: Any) -> Any:
        known = interface(contract).functions[function]
        to = self._deployment.contracts[contract]
        request = {"to": to, "data": "0x" + known.call(*args).hex()}
        try:
            return written(known.result(unhex(await self._rpc.read("eth_call", request, "latest"))))
        except RpcFailureError as e:
            return f"unreadable ({e.rpc_message})"
        except DecodingError:  # what is no such contract answers with anything
            return "unreadable (no such function)"

    async def _slot(self, address: Address, slot: str) -> int:
        return int(await self._rpc.read("eth_getStorageAt", address, slot, "latest"), 16)

    # -- code

    async def code(self) -> None:
        record = self._deployment
        for name in ("INFR", "USDC", *PROTOCOL):
            address = record.contracts.get(name)
            if address is None:
                self._say(f"{name} code", False, "is not in the manifest: the deployment broke off")
                continue
            if name == "USDC" and not ("USDC" in record.arguments or "USDC" in record.transactions):
                self._equal("USDC decimals", await self._call("USDC", "decimals"), "6")
                continue  # the chain's own: not this project's code
            await self._code(name, "Proxy" if name in PROTOCOL else name, address)
            if name in PROTOCOL and name in record.implementations:
                await self._code(f"{name} implementation", name, record.implementations[name])

    async def _code(self, label: str, name: str, address: Address) -> None:
        from .verify_code import expected_code

        found = await self._rpc.code(address)
        if not found:
            self._say(f"{label} code", False, f"there is no code at {address}")
            return
        chain_id = self._deployment.chain_id
        right = await anyio.to_thread.run_sync(expected_code, name, address, chain_id)
        if found == right:
            self._say(f"{label} code", True, f"{address}, {len(found)} bytes")
            return
        source = self._deployment.sources.get(label)
        where = next((i for i, (a, b) in enumerate(zip(found, right, strict=False)) if a != b),
                     min(len(found), len(right)))  # fmt: skip
        detail = f"{address} has other code, from byte {where} on"
        if source is not None and source != interface(name).source_hash:
            detail += f"; it was deployed from other sources ({source[:12]}…)"
        self._say(f"{label} code", False, detail)

    async def proxy(self, name: str) -> None:
        """Its implementation, and that neither can be initialised again."""
        record = self._deployment
        address, expected = record.contracts[name], record.implementations.get(name, "unknown")
        slot = await self._slot(address, IMPLEMENTATION_SLOT)
        self._equal(
            f"{name} implementation", checksum_address(slot.to_bytes(32, "big")[12:]), expected
        )
        admin = await self._slot(address, ADMIN_SLOT)
        if admin:
            self._say(f"{name} admin", False, f"has a proxy admin, 0x{admin:040x}; expected none")
        version = await self._slot(address, INITIALIZED_SLOT)
        self._equal(f"{name} initialised", str(version & LOCKED), "1")
        if name in record.implementations:
            lock = await self._slot(record.implementations[name], INITIALIZED_SLOT)
            good = lock & LOCKED == LOCKED
            self._say(
                f"{name} implementation locked", good,
                "can never be initialised" if good else "can be initialised by anybody",
            )  # fmt: skip

    async def owner(self, name: str) -> None:
        record = self._deployment
        owner = await self._call(name, "owner")
        pending = await self._call(name, "pendingOwner")
        deployer = record.arguments.get(name, {}).get("governor", record.deployer)
        wanted = record.governor or deployer
        if not wanted:
            self._say(f"{name} owner", True, f"{owner} (the manifest does not say who)")
        elif owner == deployer != wanted and pending == wanted:
            self._say(f"{name} owner", True, f"{owner}; {wanted} has yet to accept it")
        else:
            self._equal(f"{name} owner", owner, wanted)
            if pending not in ("0x" + "0" * 40, wanted):
                self._say(f"{name} pending owner", False, f"is {pending}, expected nobody")

    async def parameters(self, name: str) -> None:
        given = self._deployment.arguments.get(name, {})
        for argument, function in _GETTERS[name].items():
            if argument in given:
                self._equal(f"{name}.{function}", await self._call(name, function), given[argument])
        if name == "StakeRegistry":
            for argument, role in _MINIMUMS.items():
                if argument in given:
                    found = await self._call(name, "minimumStake", role)
                    self._equal(f"{name}.minimumStake({role})", found, given[argument])
        if name == "PaymentVault" and given:
            recipients = [given[key] for key in _RECIPIENTS]
            self._equal(f"{name}.recipients", await self._call(name, "recipients"), recipients)
            self._equal(f"{name}.fees", await self._call(name, "fees"), [str(f) for f in _FEES])
            self._equal(f"{name}.expirySlack", await self._call(name, "expirySlack"), str(_SLACK_S))

    async def wiring(self) -> None:
        """Each contract knows the others by the manifest's addresses."""
        record = self._deployment.contracts
        for contract, function, other in (
            ("StakeRegistry", "infr", "INFR"),
            ("JobRegistry", "stakeRegistry", "StakeRegistry"),
            ("PaymentVault", "usdc", "USDC"),
            ("PaymentVault", "jobRegistry", "JobRegistry"),
        ):
            if contract in record and other in record:
                found = await self._call(contract, function)
                self._equal(f"{contract} knows {other}", found, record[other])
