"""The router as a component: restores its books, opens its door to peers, and runs settlement
beside the request path.
"""

from __future__ import annotations

from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

import anyio

from infera.abc import Role
from infera.errors import (
    ChainError,
    ChainUnavailableError,
    ProtocolError,
    StateError,
    TransientError,
)
from infera.events import ProgressMade
from infera.hookspecs import Candidate as PublicCandidate
from infera.operators import ensure_registered, identity
from infera.transport.frames import FrameType
from infera.transport.sockets import LinkLostError, listen
from infera.types import JobRequest, OperatorRole
from infera_plugins.roles.router.config import endpoint
from infera_plugins.roles.router.defence import Defence
from infera_plugins.roles.router.demand import Demand, Signaller
from infera_plugins.roles.router.desk import ReceiptDesk
from infera_plugins.roles.router.dispatch import Dispatcher
from infera_plugins.roles.router.gateway import RouterGateway
from infera_plugins.roles.router.index import Candidate, Peer, ProviderIndex
from infera_plugins.roles.router.ledger import DAY_S, Ledger, Reservation
from infera_plugins.roles.router.names import Names, Registry
from infera_plugins.roles.router.publication import Publication
from infera_plugins.roles.router.regard import Regard
from infera_plugins.roles.router.rollback import require_own_books
from infera_plugins.roles.router.sessions import Sessions
from infera_plugins.roles.router.settlement import Settlement
from infera_plugins.roles.router.store import Store

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera_plugins.roles.router.config import RouterConfig

_HOUSEKEEPING_S = 5.0
_VAULT_EVENTS = (
    "Deposited",
    "Withdrawn",
    "Locked",
    "Unlocking",
    "Unlocked",
    "AllRevoked",
    "GrantRevoked",
    "Debited",
)


class RouterRole(Role):
    """Matches requests with providers, and settles."""

    def __init__(self, config: RouterConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._who = identity(config, context)
        self._host, self._port = endpoint(config.listen)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        config, chain, bus = self._config, self._chain, self._context.bus
        address, hot = self._who.address, self._who.hot
        store = Store(self._context.state, address)
        await store.load()
        await require_own_books(address, chain, store)
        ledger = Ledger(address)
        index = ProviderIndex(names=Names(_pins(config)))
        demand = Demand(index)
        settlement = Settlement(config, address, hot, chain, ledger, store, bus)
        publication = Publication(address, hot, chain, store)
        async with anyio.create_task_group() as tasks:
            desk = ReceiptDesk(chain.domain, ledger, store, bus)
            dispatcher = Dispatcher(
                config,
                address,
                hot,
                chain.domain,
                index,
                demand,
                ledger,
                store,
                desk,
                tasks,
                self._pick,
            )
            await self._restore(ledger, store, desk, settlement)
            if chain.models is not None:
                registry = Registry(chain, chain.models, index, store, bus, f"models:{address}")
                await registry.load()
                tasks.start_soon(registry.follow)
            sessions = Sessions(
                address, hot, chain, index, desk, tasks, settlement, store, publication, bus
            )
            async with listen(self._host, self._port, sessions.accept) as port:
                url = config.public_url or f"ws://{self._host}:{port}"
                await ensure_registered(
                    config, self._context, chain, self._who, OperatorRole.ROUTER, url
                )
                self._context.gateway = RouterGateway(
                    dispatcher, settlement, publication, url, self._context.pick_tier
                )

                async def tell(peer: Peer, batch: int) -> None:
                    with suppress(LinkLostError):
                        await peer.link.notify(
                            FrameType.NOTICE, {"type": "debits_applied", "batch": batch}
                        )

                async def tell_providers(batch: int) -> None:
                    # Each on its own: one that does not read must not hold up settlement.
                    for peer in list(index.peers.values()):
                        tasks.start_soon(tell, peer, batch)

                tasks.start_soon(settlement.run, tell_providers)
                tasks.start_soon(self._follow_vault, ledger, settlement)
                tasks.start_soon(self._keep_house, desk, store)
                if chain.reputation is not None:
                    tasks.start_soon(Regard(index, chain.reputation).run)
                if chain.court is not None:
                    defence = Defence(
                        address, hot, chain, chain.court, store, publication, desk, settlement, bus
                    )
                    tasks.start_soon(defence.run)
                if chain.seats is not None and config.signal_demand:
                    tasks.start_soon(Signaller(chain.seats, demand, address, hot, bus).run)
                task_status.started()
                await anyio.sleep_forever()

    async def _restore(
        self, ledger: Ledger, store: Store, desk: ReceiptDesk, settlement: Settlement
    ) -> None:
        """Rebuild the ledger from the journal and the chain: what was charged, and what open
        tickets may still cost.
        """
        for digest, grant, signature in await store.all_grants():
            ledger.add(digest, grant, signature)
        now = int(time())
        for digest, charged, today in await store.spending(now // DAY_S * DAY_S):
            book = ledger.grants.get(digest)
            if book is not None:
                ledger.charge(book, charged, now)
                book.charged_today = today
        for job in await store.open_jobs():
            book = ledger.grants.get(job.ticket.grant)
            if book is None:
                continue
            account = ledger.account(job.ticket.account)
            reservation = Reservation(book, account, job.ticket.max_cost)
            book.reserved += reservation.amount
            account.reserved += reservation.amount
            desk.suspend(job.ticket, reservation)
        try:
            for account_address in list(ledger.accounts):
                await settlement.refresh_grants(account_address)
        except ChainUnavailableError as error:
            raise TransientError(f"the router cannot read balances: {error.message}") from error

    async def _follow_vault(self, ledger: Ledger, settlement: Settlement) -> None:
        """Mirror the vault as it changes, so that a new deposit or a revocation works at once."""
        while True:
            try:
                await self._mirror(ledger, settlement)
            except StateError as error:
                self._context.bus.publish(ProgressMade(self.name, error.message))
            await anyio.sleep(_HOUSEKEEPING_S)

    async def _mirror(self, ledger: Ledger, settlement: Settlement) -> None:
        cursor = f"router:{self._who.address}"
        async for event in self._chain.events(cursor, names=_VAULT_EVENTS):
            account = event.args.get("account")
            try:
                if event.name == "Reorged":
                    for known in list(ledger.accounts):
                        await settlement.refresh_grants(known)
                elif account in ledger.accounts and event.name == "GrantRevoked":
                    await settlement.refresh_grants(str(account))
                elif account in ledger.accounts:
                    await settlement.refresh(str(account))
            except ChainError as error:
                # The next event or batch refreshes again; until then the mirror may only be too low
                # or too old, and the vault
                # itself refuses what it cannot cover.
                self._context.bus.publish(
                    ProgressMade(self.name, f"cannot refresh {account}: {error.message}")
                )

    async def _keep_house(self, desk: ReceiptDesk, store: Store) -> None:
        while True:
            await anyio.sleep(_HOUSEKEEPING_S)
            try:
                await desk.expire()
                await store.forget_content(int(time()) - self._config.retain_content_s)
            except StateError as error:
                self._context.bus.publish(ProgressMade(self.name, error.message))

    def _pick(self, request: JobRequest, ranked: list[Candidate]) -> Candidate:
        """A plugin's choice if one wants it, else the best score."""
        by_address = {c.peer.address: c for c in ranked}
        choice = self._context.pick_provider(
            request,
            [
                PublicCandidate(
                    provider=c.peer.address,
                    price_in=c.peer.offer.price_in,
                    price_out=c.peer.offer.price_out,
                    premium_bps=c.peer.offer.premium_bps,
                    tokens_per_second=c.peer.offer.tokens_per_second,
                    capacity=c.peer.offer.capacity,
                    in_flight=c.peer.in_flight,
                    region=c.peer.offer.region,
                    reputation=1.0 - c.peer.distrust,
                )
                for c in ranked
            ],
        )
        return by_address.get(choice, ranked[0]) if choice is not None else ranked[0]


def _pins(config: RouterConfig) -> dict[str, bytes]:
    try:
        pins = {
            name: bytes.fromhex(text.removeprefix("0x")) for name, text in config.models.items()
        }
    except ValueError:
        pins = {"": b""}
    if any(len(model_id) != 32 for model_id in pins.values()):
        raise ProtocolError(
            "`models:` of the router must map names to 32-byte ids",
            hint="`infera models inspect PATH` prints a model's id",
        )
    return pins
