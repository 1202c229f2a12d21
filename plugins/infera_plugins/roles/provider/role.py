"""The provider as a component: one connection to each router, kept up, and the claims of what
they owe.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

import anyio

from infera.abc import Role
from infera.errors import (
    ChainError,
    InferaError,
    NeedsOperatorError,
    ProtocolError,
    StateError,
    TransientError,
)
from infera.events import CreditClaimed, ProgressMade
from infera.groups import unwrapped
from infera.operators import Identity, active_hot_key, ensure_registered, identity
from infera.protocol.jobs import sampling_to_json
from infera.protocol.messages import ProviderOffer
from infera.transport.frames import Frame, FrameType
from infera.transport.handshake import introduce
from infera.transport.link import Link, Stream
from infera.transport.sockets import LinkLostError, dial
from infera.types import Address, OperatorRole
from infera_plugins.roles.provider.billing import Billing
from infera_plugins.roles.provider.claims import Claims
from infera_plugins.roles.provider.jobs import JobRunner
from infera_plugins.roles.provider.journal import Journal, ServedJob
from infera_plugins.roles.provider.seats import SeatKeeper, wishes_of
from infera_plugins.roles.provider.stake import StakeCover

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera.keys import Signer
    from infera_plugins.roles.provider.config import ProviderConfig

_OFFER_LIFE_S = 86_400
_HEARTBEAT_S = 5.0
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_ROUTER_LIST_S = 30.0
_MESSAGE_CHARACTERS = 500
_SETTLING_S = 15
"""A receipt older than this was not just sent: the router should have acknowledged it."""


@dataclass(slots=True)
class _Connection:
    """A live link to one router. `due` wakes the claimer."""

    router: Address
    link: Link
    runner: JobRunner
    due: anyio.Event
    offered: bool = False
    refused: str | None = None
    """Why the router will not have this provider's offer."""


class ProviderRole(Role):
    """Serves jobs on one engine for any number of routers."""

    def __init__(self, config: ProviderConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._engine = context.engine(config.engine)
        self._who: Identity = identity(config, context)
        self._journal = Journal(context.state, self._who.address)
        self._claiming = anyio.Lock()
        self._claims: Claims | None = None

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        await ensure_registered(
            self._config, self._context, self._chain, self._who, OperatorRole.PROVIDER, ""
        )
        self._models = self._offered()
        if self._chain.court is not None:
            billing = Billing(self._context.state, self._who.address)
            self._claims = Claims(
                self._who, self._chain, self._chain.court, billing, self._context.bus
            )
        cover, keeper = self._cover(), await self._keeper()
        await cover.declare()
        async with anyio.create_task_group() as tasks:
            task_status.started()
            tasks.start_soon(cover.watch)
            if self._claims is not None:
                tasks.start_soon(self._claims.run)
            if keeper is not None:
                tasks.start_soon(keeper.run)
            fixed = [url for url in self._config.routers if url != "auto"]
            for url in fixed:
                tasks.start_soon(self._keep_connected, url)
            if "auto" in self._config.routers:
                tasks.start_soon(self._follow_routers, tasks, set(fixed))

    def _offered(self) -> list[dict[str, Any]]:
        have = {m.name: m for m in self._engine.models()}
        wanted = self._config.models or list(have)
        missing = [name for name in wanted if name not in have]
        if missing or not have:
            raise NeedsOperatorError(
                f"the engine has no model {', '.join(missing) or 'at all'}",
                hint=f"it has: {', '.join(have) or 'none'}; correct one of the two `models:`",
            )
        return [
            {
                "name": m.name,
                "modelId": m.model_id.hex(),
                "contextLength": m.context_length,
                "manifest": m.manifest,
                "sampling": sampling_to_json(m.sampling),
            }
            for m in (have[name] for name in wanted)
        ]

    def _cold(self) -> Signer | None:
        """The key that owns the stake, if it is kept here."""
        if self._config.operator is not None:
            return None
        return self._context.keys.get_or_create(self._config.cold_key or self._config.key)

    def _cover(self) -> StakeCover:
        speed = self._config.tokens_per_second
        claims = {bytes.fromhex(model["modelId"]): speed for model in self._models}
        return StakeCover(
            self._chain, self._who.address, self._cold(), claims, self._context.bus, self.name
        )

    async def _keeper(self) -> SeatKeeper | None:
        config, chain = self._config, self._chain
        if not config.seats:
            return None
        if chain.seats is None or chain.models is None:
            self._say("`seats:` is set, and this chain pays nobody for keeping models warm")
            return None
        wishes = await wishes_of(
            config, self._models, chain.models, tuple(sorted(self._context.verifiers))
        )
        return SeatKeeper(
            chain=chain,
            market=chain.seats,
            models=chain.models,
            who=self._who,
            cold=self._cold(),
            wishes=wishes,
            interval_s=config.seat_interval_s,
            claim_from=int(config.seat_claim_usdc * 1_000_000),
            leave_at_stop=config.leave_seats_at_stop,
            bus=self._context.bus,
            source=self.name,
        )

    async def _follow_routers(self, tasks: anyio.abc.TaskGroup, dialled: set[str]) -> None:
        """Dial every active router the chain lists, and those that come later."""
        while True:
            try:
                for router in await self._chain.operators(OperatorRole.ROUTER):
                    if router.active and router.uri and router.uri not in dialled:
                        dialled.add(router.uri)
                        tasks.start_soon(self._keep_connected, router.uri)
            except ChainError as error:
                self._say(f"cannot list routers, trying again: {error.message}")
            await anyio.sleep(_ROUTER_LIST_S if dialled else 1.0)

    async def _keep_connected(self, url: str) -> None:
        failures = 0
        while True:
            try:
                async with dial(url) as socket:
                    await self._session(socket)
                failures = 0
            except (TransientError, ChainError) as error:
                if failures == 0:
                    self._say(f"{error.message}; trying again")
            except InferaError as error:
                self._say(f"{url}: {error}")
                failures = max(failures, len(_RETRY_S) - 2)
            await anyio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1

    def _offer(self) -> ProviderOffer:
        return ProviderOffer(
            provider=self._who.address,
            models=tuple(bytes.fromhex(m["modelId"]) for m in self._models),
            tiers=tuple(sorted(self._context.verifiers)),
            price_in=self._config.price_in,
            price_out=self._config.price_out,
            premium_bps=0,
            tokens_per_second=self._config.tokens_per_second,
            capacity=self._config.capacity,
            region=self._config.region,
            not_after=int(time()) + _OFFER_LIFE_S,
        )

    async def _session(self, socket: Any) -> None:
        domain, offer = self._chain.domain, self._offer()
        router, router_hot = await introduce(
            socket,
            domain,
            self._who.address,
            OperatorRole.PROVIDER,
            self._who.hot,
            {
                "offer": offer.to_json(),
                "offerSignature": self._who.hot.sign(offer.digest(domain)).hex(),
                "models": self._models,
            },
            lambda address, role: active_hot_key(self._chain, address, role),
        )
        link = Link(socket, dialled=True)
        runner = JobRunner(
            offer=offer,
            router=router,
            router_hot=router_hot,
            domain=domain,
            hot=self._who.hot,
            engine=self._engine,
            verifiers=self._context.verifiers,
            journal=self._journal,
            max_exposure=self._config.max_exposure_usdc * 1_000_000,
            exposure=max(
                await self._journal.earned(router)
                - await self._chain.claimed(router, self._who.address),
                0,
            ),
        )
        connection = _Connection(router, link, runner, anyio.Event())

        async def on_open(stream: Stream, frame: Frame) -> None:
            if frame.type is FrameType.OPEN:
                await runner.serve(stream, frame)
            else:
                await stream.send_json(FrameType.FAIL, {"message": "providers answer no queries"})

        async def on_notice(frame: Frame) -> None:
            await self._noticed(connection, frame)

        with unwrapped():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._heartbeat, connection)
                tasks.start_soon(self._hand_over, connection)
                tasks.start_soon(self._claim, connection)
                with nullcontext() if self._claims is None else self._claims.linked(router, link):
                    await link.run(on_open, on_notice)
                tasks.cancel_scope.cancel()
        if connection.refused is not None:
            raise ProtocolError(connection.refused)

    async def _noticed(self, connection: _Connection, frame: Frame) -> None:
        body = frame.json()
        if frame.type is FrameType.ACK:
            try:
                job = bytes.fromhex(str(body["job"]))
            except (KeyError, ValueError):
                raise ProtocolError("the router's ACK names no job") from None
            await self._journal.acknowledge(job)
        elif body.get("type") == "debits_applied":
            connection.due.set()
        elif body.get("type") == "refused":
            reason = str(body.get("message", "it did not say why"))[:_MESSAGE_CHARACTERS]
            connection.refused = reason

    async def _heartbeat(self, connection: _Connection) -> None:
        try:
            while True:
                await connection.link.notify(
                    FrameType.HEARTBEAT, {"inFlight": connection.runner.in_flight}
                )
                await anyio.sleep(_HEARTBEAT_S)
        except LinkLostError:
            return

    async def _hand_over(self, connection: _Connection) -> None:
        """Give the router the receipts it never acknowledged: of jobs cut short, or because one of
        the two could not write or crashed.
        """
        while True:
            before = int(time()) - _SETTLING_S if connection.offered else None
            try:
                for served in await self._journal.unacknowledged(connection.router, before):
                    try:
                        await self._offer_again(connection, served)
                    except ProtocolError as error:
                        # Nothing to do with the others, which may be worth more.
                        self._say(f"cannot hand a receipt over yet: {error.message}")
                connection.offered = True
            except LinkLostError:
                return
            except StateError as error:
                self._say(f"cannot hand receipts over yet: {error.message}")
            await anyio.sleep(_SETTLING_S)

    async def _offer_again(self, connection: _Connection, served: ServedJob) -> None:
        query = {"type": "receipt", **served.to_json()}
        verdict = (await connection.link.query(query)).json()
        if verdict.get("accepted"):
            await self._journal.acknowledge(served.ticket.job_id)
            return
        self._say(f"router refused a late receipt: {verdict.get('reason')}")
        await self._journal.write_off(served.ticket.job_id)
        runner = connection.runner
        runner.exposure = max(runner.exposure - served.receipt.cost, 0)

    async def _claim(self, connection: _Connection) -> None:
        """Collect what the router has settled, on its notice and every `claim_interval_s`."""
        while True:
            # Before looking: a notice that comes meanwhile must not be lost.
            connection.due = anyio.Event()
            try:
                await self._claim_once(connection)
            except LinkLostError:
                return
            except ChainError as error:
                self._say(f"cannot claim yet: {error.message}")
            except InferaError as error:
                self._say(f"router's claim proof is no good: {error.message}")
            with anyio.move_on_after(self._config.claim_interval_s):
                await connection.due.wait()

    async def _claim_once(self, connection: _Connection) -> None:
        answer = (await connection.link.query({"type": "credit"})).json()
        if answer.get("batch") is None:
            return
        try:
            batch, index = int(answer["batch"]), int(answer["index"])
            credited = int(answer["credited"])
            proof = [bytes.fromhex(node) for node in answer["proof"]]
        except (ArithmeticError, KeyError, TypeError, ValueError):
            raise ProtocolError("it is malformed") from None
        router, me = connection.router, self._who.address
        async with self._claiming:
            due = credited - await self._chain.claimed(router, me)
            if due <= max(int(self._config.claim_threshold_usdc * 1_000_000), 0):
                return
            paid = await self._chain.claim(self._who.hot, router, batch, me, credited, index, proof)
        connection.runner.exposure = max(await self._journal.earned(router) - credited, 0)
        if paid:
            self._context.bus.publish(CreditClaimed(me, paid))

    def _say(self, text: str) -> None:
        self._context.bus.publish(ProgressMade(self.name, text))
