"""The `Chain` of a node on Ethereum contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from infera.abc import Chain, Debit
from infera.errors import ChainError, ChainUnavailableError
from infera.events import ProgressMade
from infera.protocol.abi import ZERO_ADDRESS
from infera.types import (
    Address,
    BatchHeader,
    ChainEvent,
    ChainPosition,
    Lockup,
    Operator,
    OperatorRole,
)

from .config import EvmConfig, Funds
from .contracts import interface, position
from .events import EventCursor, StateCursors
from .multiproof import merge_proofs
from .rpc import Head, Rpc, RpcFailureError, first_error, unhex
from .services import attach
from .session import Session, open_session
from .transactions import Receipt, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera.keys import Signer
    from infera.protocol.eip712 import Domain

    from .binding import Call

DEBITS_PER_TX = 40
OPERATORS_PER_CALL = 200
OPERATORS_AT_ONCE = 16


class EvmChain(Chain):
    """Settlement on an EVM chain. Everything but the constructor needs `serve` to have started."""

    domain: Domain
    contracts: Mapping[str, Address]

    def __init__(self, config: EvmConfig, context: Context) -> None:
        self.name = "evm"
        self.rpc_url = None if config.embedded else config.rpc
        self.contracts = {}
        self._config = config
        self._context = context
        self._session: Session | None = None
        self._since: dict[tuple[Address, OperatorRole], int] = {}

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Connect, find or deploy the contracts, and stay connected."""
        async with open_session(self._config, self._context, self.name) as session:
            self._session = session
            self.domain = session.domain
            self.contracts = dict(session.contracts)
            attach(self)
            await self._seed()
            task_status.started()
            try:
                if session.node is not None:
                    await session.node.run()
                else:
                    await anyio.sleep_forever()
            finally:
                self._session = None

    async def _seed(self) -> None:
        """Make the models of `official:` official, where nobody did yet."""
        if self._config.official:
            from .deployment.seeding import seed  # what only a development chain needs

            governor = await anyio.to_thread.run_sync(
                self._context.keys.get_or_create, self._config.deployer
            )
            await seed(self, governor, self._config.official, self._report)

    def _report(self, text: str) -> None:
        self._context.bus.publish(ProgressMade(self.name, text))

    # -- asking and telling contracts

    @property
    def session(self) -> Session:
        """The open connection."""
        if self._session is None:
            raise ChainUnavailableError("the chain is not connected")
        return self._session

    @property
    def rpc(self) -> Rpc:
        """The node that is asked."""
        return self.session.rpc

    async def call(self, contract: str, function: str, *args: Any, block: int | None = None) -> Any:
        """Read from a contract, by its name here and Solidity's name of the function; as of a block
        (None: the newest), whose state a node keeps for some minutes and an archive for ever.
        """
        known = interface(contract).functions[function]
        request = {"to": self.contracts[contract], "data": "0x" + known.call(*args).hex()}
        at = "latest" if block is None else hex(block)
        try:
            answer = await self.rpc.read("eth_call", request, at)
        except RpcFailureError as e:
            raise refusal(e) from e
        return known.result(unhex(answer))

    async def ask(self, to: Address, data: bytes, block: int | None = None) -> bytes:
        """What a call of `to` returns as of a block; the bindings ask through this."""
        request = {"to": to, "data": "0x" + data.hex()}
        try:
            answer = await self.rpc.read(
                "eth_call", request, "latest" if block is None else hex(block)
            )
        except RpcFailureError as e:
            raise refusal(e) from e
        return unhex(answer)

    async def send(self, signer: Signer, call: Call) -> Receipt:
        """Send a call that a binding made, and wait until it is mined."""
        return await self.session.transactor.send(signer, call.to, call.data, value=call.value)

    async def transact(self, signer: Signer, contract: str, function: str, *args: Any) -> Receipt:
        """Send a transaction to a contract and wait until it is mined."""
        data = interface(contract).functions[function].call(*args)
        return await self.session.transactor.send(signer, self.contracts[contract], data)

    def _events_of(self, receipt: Receipt, name: str) -> list[ChainEvent]:
        book = self.session.book
        found = [event for entry in receipt.logs if (event := book.event(entry)) is not None]
        return [event for event in found if event.name == name]

    async def _approve(self, signer: Signer, token: str, spender: str, amount: int) -> None:
        target = self.contracts[spender]
        if await self.call(token, "allowance", signer.address, target) < amount:
            await self.transact(signer, token, "approve", target, amount)

    # -- blocks

    async def block_number(self) -> int:
        """Number of the newest block."""
        return await self.rpc.block_number()

    async def timestamp(self, block: int | None = None) -> int:
        """Time of a block (None: the newest), UTC seconds."""
        head = await self.rpc.head("latest" if block is None else block)
        if head is None:
            raise ChainError(f"the chain has no block {'yet' if block is None else block}")
        return head.timestamp

    async def prevrandao(self, block: int) -> bytes | None:
        """The block's randomness, or None while it is not mined (or not confirmed)."""
        confirmations = self._config.confirmations
        if confirmations and await self.rpc.block_number() < block + confirmations:
            return None
        head: Head | None = await self.rpc.head(block)
        return head.prevrandao if head else None

    # -- StakeRegistry

    async def operator(self, address: Address, role: OperatorRole) -> Operator | None:
        """An operator in a role, or None if it never staked for it."""
        since = await self._since_of(address, role)
        return None if since is None else await self._operator(address, role, since)

    async def operators(self, role: OperatorRole) -> Sequence[Operator]:
        """Everyone who ever staked for the role, in order of registration."""
        count = await self.call("StakeRegistry", "operatorCount", int(role))
        addresses: list[Address] = []
        for offset in range(0, count, OPERATORS_PER_CALL):
            addresses += await self.call(
                "StakeRegistry", "operators", int(role), offset, OPERATORS_PER_CALL
            )
        found: dict[Address, Operator | None] = {}
        limit = anyio.CapacityLimiter(OPERATORS_AT_ONCE)

        async def look(address: Address) -> None:
            async with limit:
                found[address] = await self.operator(address, role)

        with first_error():
            async with anyio.create_task_group() as tasks:
                for address in addresses:
                    tasks.start_soon(look, address)
        return [known for address in addresses if (known := found[address]) is not None]

    async def active_stakes(self, role: OperatorRole, block: int) -> Mapping[Address, int]:
        """INFR wei of everyone active in the role as of that block."""
        registry, at = "StakeRegistry", block
        count = await self.call(registry, "operatorCount", int(role), block=at)
        found: dict[Address, int] = {}
        limit = anyio.CapacityLimiter(OPERATORS_AT_ONCE)

        async def look(address: Address) -> None:
            async with limit:
                if await self.call(registry, "isActive", address, int(role), block=at):
                    found[address], _, _ = await self.call(
                        registry, "stakeOf", address, int(role), block=at
                    )

        with first_error():
            async with anyio.create_task_group() as tasks:
                for offset in range(0, count, OPERATORS_PER_CALL):
                    part = (int(role), offset, OPERATORS_PER_CALL)
                    for address in await self.call(registry, "operators", *part, block=at):
                        tasks.start_soon(look, address)
        return found

    async def _operator(self, address: Address, role: OperatorRole, since: int) -> Operator:
        registry = "StakeRegistry"
        hot_key = await self.call(registry, "hotKeyOf", address)
        active_stake, _, _ = await self.call(registry, "stakeOf", address, int(role))
        active = await self.call(registry, "isActive", address, int(role))
        endpoint, _ = await self.call(registry, "profileOf", address)
        return Operator(address, role, hot_key, active_stake, active, endpoint, since)

    async def _since_of(self, address: Address, role: OperatorRole) -> int | None:
        """When the operator first staked for the role."""
        key = (address, role)
        if key not in self._since:
            if await self.call("StakeRegistry", "hotKeyOf", address) == ZERO_ADDRESS:
                return None
            block = await self._registered_in(address, role)
            head = None if block is None else await self.rpc.head(block)
            if head is None:
                return None
            self._since[key] = head.timestamp
        return self._since[key]

    async def _registered_in(self, address: Address, role: OperatorRole) -> int | None:
        event = interface("StakeRegistry").event("OperatorRegistered")
        topics = [
            "0x" + event.topic.hex(),
            "0x" + "0" * 24 + address[2:].lower(),
            f"0x{int(role):064x}",
        ]
        query = {"address": self.contracts["StakeRegistry"], "topics": topics}
        start, newest = self.session.first_block, await self.rpc.block_number()
        span = newest - start + 1
        while start <= newest:
            last = min(newest, start + span - 1)
            bounds = {"fromBlock": hex(start), "toBlock": hex(last)}
            try:
                found = await self.rpc.read("eth_getLogs", query | bounds)
            except RpcFailureError:
                if span == 1:
                    raise
                span = max(1, span // 4)
                continue
            if found:
                return position(found[0]).block
            start = last + 1
        return None

    async def minimum_stake(self, role: OperatorRole) -> int:
        """Stake the role needs at least, in INFR wei."""
        return int(await self.call("StakeRegistry", "minimumStake", int(role)))

    async def required_stake(self, operator: Address, role: OperatorRole) -> int:
        """Stake this operator needs to come in or to claim more, in INFR wei."""
        return int(await self.call("StakeRegistry", "requiredStake", operator, int(role)))

    async def register_operator(
        self, cold: Signer, role: OperatorRole, hot_key: Address, stake: int, uri: str
    ) -> None:
        """Add `stake`, name the hot key, publish the URI; what is so already costs no
        transaction.
        """
        registry = "StakeRegistry"
        known_key = await self.call(registry, "hotKeyOf", cold.address)
        if stake:
            await self._approve(cold, "INFR", registry, stake)
            await self.transact(cold, registry, "stake", int(role), stake, hot_key)
        elif known_key != hot_key:
            await self.transact(cold, registry, "rotateHotKey", hot_key)
        endpoint, metadata = await self.call(registry, "profileOf", cold.address)
        if endpoint != uri:
            await self.transact(cold, registry, "setProfile", uri, metadata)

    # -- balances

    async def usdc_balance(self, address: Address) -> int:
        """USDC an address holds itself."""
        return int(await self.call("USDC", "balanceOf", address))

    async def infr_balance(self, address: Address) -> int:
        """INFR an address holds itself, in wei."""
        return int(await self.call("INFR", "balanceOf", address))

    # -- PaymentVault

    async def free_balance(self, account: Address) -> int:
        """Money in the vault that is locked for nobody."""
        return int(await self.call("PaymentVault", "freeOf", account))

    async def lockup(self, account: Address, router: Address) -> Lockup:
        """What answers for one router's debits: `locked` in all, of it `thawing` until
        `thaw_ends`.
        """
        active, thawing, thawed_at = await self.call("PaymentVault", "lockupOf", account, router)
        return Lockup(active + thawing, thawing, thawed_at)

    async def generation(self, account: Address) -> int:
        """The generation a valid grant of the account carries."""
        return int(await self.call("PaymentVault", "generationOf", account))

    async def grant_revoked(self, account: Address, grant: bytes) -> bool:
        """Whether the account has ended this one grant."""
        return bool(await self.call("PaymentVault", "grantRevokedAt", account, grant))

    async def debited(self, router: Address, grant: bytes) -> int:
        """What has been applied under the grant by this router."""
        applied, _, _ = await self.call("PaymentVault", "appliedOf", grant, router)
        return int(applied)

    async def claimed(self, router: Address, provider: Address) -> int:
        """What the provider has been paid under this router."""
        return int(await self.call("PaymentVault", "paidOf", router, provider))

    async def deposit(self, account: Signer, amount: int) -> None:
        """Own USDC into the free balance."""
        await self._approve(account, "USDC", "PaymentVault", amount)
        await self.transact(account, "PaymentVault", "deposit", amount)

    async def withdraw(self, account: Signer, amount: int) -> None:
        """Free balance back to the account's own address."""
        await self.transact(account, "PaymentVault", "withdraw", amount)

    async def lock(self, account: Signer, router: Address, amount: int) -> None:
        """Free balance into the lockup for a router."""
        await self.transact(account, "PaymentVault", "lock", router, amount)

    async def unlock(self, account: Signer, router: Address, amount: int) -> None:
        """Start the thaw."""
        await self.transact(account, "PaymentVault", "unlock", router, amount)

    async def withdraw_thawed(self, account: Signer, router: Address) -> int:
        """What has thawed back to the free balance; returns micro-USDC moved."""
        receipt = await self.transact(account, "PaymentVault", "withdrawThawed", router)
        return sum(int(event.args["amount"]) for event in self._events_of(receipt, "Unlocked"))

    async def revoke_keys(self, account: Signer) -> int:
        """End every grant of the account; returns the new generation."""
        receipt = await self.transact(account, "PaymentVault", "revokeAll")
        return int(self._events_of(receipt, "AllRevoked")[0].args["generation"])

    async def apply_debits(
        self, sender: Signer, router: Address, batch: int, debits: Sequence[Debit]
    ) -> None:
        """Apply debits of a final batch, in as many transactions as their gas asks for."""
        if not debits:
            return
        header, _, _ = await self.batch(router, batch)
        ordered = sorted(debits, key=lambda d: d.index)
        for start in range(0, len(ordered), DEBITS_PER_TX):
            part = ordered[start : start + DEBITS_PER_TX]
            rows = [
                (d.grant, d.signature, d.index, d.debited, d.router_fees, d.protocol_fees)
                for d in part
            ]
            proof = merge_proofs({d.index: d.proof for d in part}, header.grants)
            await self.transact(sender, "PaymentVault", "applyDebits", router, batch, rows, proof)

    async def claim(
        self,
        sender: Signer,
        router: Address,
        batch: int,
        provider: Address,
        credited: int,
        index: int,
        proof: Sequence[bytes],
    ) -> int:
        """Pay a provider's increase from the router's pool; returns micro-USDC paid."""
        receipt = await self.transact(
            sender, "PaymentVault", "claim", router, batch, provider, credited, index, list(proof)
        )
        return sum(int(event.args["amount"]) for event in self._events_of(receipt, "Claimed"))

    # -- JobRegistry

    async def commit_batch(self, router: Signer, header: BatchHeader) -> ChainPosition:
        """Commit the router's next batch; returns where `BatchCommitted` sits."""
        receipt = await self.transact(router, "JobRegistry", "commitBatch", header)
        return self._events_of(receipt, "BatchCommitted")[0].position

    async def batch_count(self, router: Address) -> int:
        """How many batches the router has committed."""
        return int(await self.call("JobRegistry", "batchCount", router))

    async def batch(self, router: Address, index: int) -> tuple[BatchHeader, int, int]:
        """(header, block committed in, final-at UTC seconds)."""
        got = await self.call("JobRegistry", "batch", router, index)
        header = BatchHeader(
            router=router,
            index=index,
            jobs_root=got["jobsRoot"],
            debits_root=got["debitsRoot"],
            credits_root=got["creditsRoot"],
            decisions_root=got["decisionsRoot"],
            count=got["count"],
            grants=got["grants"],
            providers=got["providers"],
            tiers=got["tiers"],
            debited=got["debited"],
            credited=got["credited"],
            fees=got["debited"] - got["credited"],
        )
        return header, got["committedIn"], got["finalAt"]

    # -- events

    def events(self, cursor: str, *, names: Sequence[str] = ()) -> AsyncIterator[ChainEvent]:
        """Contract events from the persisted cursor on, for ever."""
        session = self.session
        return EventCursor(
            f"{self.name}:{self.domain.verifying_contract}:{cursor}",
            session.rpc,
            session.book,
            StateCursors(self._context.state),
            names=names,
            first_block=session.first_block,
            confirmations=self._config.confirmations,
            poll_s=self._config.poll_interval_s,
        ).follow()

    # -- development chains

    async def give(self, address: Address, funds: Funds | None = None) -> None:
        """Play money for an address, on development chains only."""
        await self.session.give(address, funds or Funds())
