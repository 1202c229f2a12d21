"""The validator as a component: it writes every committed batch down, looks at those of each router
in order and of several routers at once, and reports what it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from infera.abc import Engine, Role
from infera.draws import randomness
from infera.errors import (
    ChainError,
    ChainUnavailableError,
    InferaError,
    StateError,
    TransientError,
)
from infera.events import ProgressMade
from infera.groups import unwrapped
from infera.operators import active_hot_key, ensure_registered, identity
from infera.transport.frames import Frame, FrameType
from infera.transport.handshake import introduce
from infera.transport.link import Link, Stream
from infera.transport.sockets import dial
from infera.types import BatchHeader, OperatorRole
from infera_plugins.roles.validator.batch import BatchCheck, Bench
from infera_plugins.roles.validator.journal import Journal, Pending
from infera_plugins.roles.validator.lanes import Lanes
from infera_plugins.roles.validator.patience import Patience
from infera_plugins.roles.validator.prosecution import Prosecution
from infera_plugins.roles.validator.reporter import Reporter

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera_plugins.roles.validator.config import ValidatorConfig

_RETRY_S = 1.0
_POLL_S = 0.5
_REPORT_RETRY_S = 60.0


class ValidatorRole(Role):
    """Checks other people's work."""

    def __init__(self, config: ValidatorConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._engine: Engine = context.engine(config.engine)
        self._who = identity(config, context)
        self._journal = Journal(context.state, self._who.address)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        await ensure_registered(
            self._config, self._context, self._chain, self._who, OperatorRole.VALIDATOR, ""
        )
        reporter = self._reporter()
        self._bench = Bench(
            who=self._who,
            chain=self._chain,
            engine=self._engine,
            verifiers=self._context.verifiers,
            journal=self._journal,
            bus=self._context.bus,
            turns=anyio.CapacityLimiter(self._config.jobs_at_once),
            extra_ppm=self._config.check_rate_ppm,
            found=reporter.notice if reporter is not None else lambda: None,
            say=self._say,
            prosecution=self._prosecution(),
        )
        with unwrapped():
            async with anyio.create_task_group() as tasks:
                lanes = Lanes(tasks, self._look_at, self._config.routers_at_once)
                for pending in await self._journal.pending():
                    lanes.add(pending)
                if reporter is not None:
                    tasks.start_soon(reporter.run)
                if self._bench.prosecution is not None:
                    tasks.start_soon(self._bench.prosecution.run)
                task_status.started()
                await self._follow(lanes)

    def _prosecution(self) -> Prosecution | None:
        court = self._chain.court
        if court is None:
            return None
        return Prosecution(self._who, self._chain, court, self._context.bus)

    def _reporter(self) -> Reporter | None:
        book = self._chain.reputation
        if book is None or not book.takes_reports:
            return None
        return Reporter(
            self._who.address,
            self._who.hot,
            book,
            self._journal,
            self._context.bus,
            self._say,
            count=self._config.report_count,
            age_s=self._config.report_age_s,
            retry_s=_REPORT_RETRY_S,
        )

    async def _follow(self, lanes: Lanes) -> None:
        """Write committed batches down as they come: each before its event counts as seen."""
        cursor = f"validator:{self._who.address}"
        while True:
            try:
                async for event in self._chain.events(cursor, names=["BatchCommitted"]):
                    if event.name != "BatchCommitted":
                        continue
                    router, index = str(event.args["router"]), int(event.args["index"])
                    pending = Pending(router, index, event.position.block)
                    await self._journal.expect(pending)
                    lanes.add(pending)
            except StateError as error:
                self._say(f"{error.message}; trying again")
            await anyio.sleep(_RETRY_S)

    async def _look_at(self, pending: Pending) -> None:
        """Look at a batch until that is done or its router has run out of patience."""
        router, index = pending.router, pending.batch
        while True:
            try:
                await self._try(pending)
                return await self._journal.done(pending)
            except (StateError, ChainUnavailableError) as error:
                # Neither is the router's fault, and the batch is still written down.
                self._say(f"batch {index} of {router[:10]}: {error.message}; trying again")
                await anyio.sleep(_RETRY_S)

    async def _try(self, pending: Pending) -> None:
        router, index = pending.router, pending.batch
        try:
            header, _, _ = await self._chain.batch(router, index)
            rand = await self._randomness(header, pending.block)
            patience = Patience(self._config.evidence_timeout_s)
            with patience.scope:
                return await self._persist(header, pending.block, rand, patience)
            self._say(f"router {router[:10]} gave no evidence for batch {index}; left undecided")
            if self._bench.prosecution is not None:
                await self._bench.prosecution.withheld(header)
        except (StateError, ChainUnavailableError):
            raise
        except InferaError as error:
            self._say(f"batch {index} of {router[:10]}: {error.message}")

    async def _randomness(self, header: BatchHeader, block: int) -> bytes:
        """That of the block after the commit: unknown to the router when it committed."""
        while True:
            rand = await randomness(self._chain, header.jobs_root, block)
            if rand is not None:
                return rand
            await anyio.sleep(_POLL_S)  # a block has no event here

    async def _persist(
        self, header: BatchHeader, block: int, rand: bytes, patience: Patience
    ) -> None:
        """Visit the router, and again where that breaks off, until the caller's deadline."""
        while True:
            try:
                return await self._visit(header, block, rand, patience)
            except ChainUnavailableError:
                raise
            except (TransientError, ChainError) as error:
                self._say(f"batch {header.index}: {error.message}; trying again")
                await anyio.sleep(_RETRY_S)

    async def _visit(
        self, header: BatchHeader, block: int, rand: bytes, patience: Patience
    ) -> None:
        router = header.router
        operator = await self._chain.operator(router, OperatorRole.ROUTER)
        if operator is None or not operator.uri:
            raise TransientError(f"router {router} has published no endpoint")
        async with dial(operator.uri) as socket:
            await introduce(
                socket,
                self._chain.domain,
                self._who.address,
                OperatorRole.VALIDATOR,
                self._who.hot,
                {},
                lambda address, role: active_hot_key(self._chain, address, role),
            )
            link = Link(socket, dialled=True)
            with unwrapped():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(link.run, _refuse, _ignore)
                    await BatchCheck(self._bench, link, header, block, rand, patience).run()
                    tasks.cancel_scope.cancel()

    def _say(self, text: str) -> None:
        self._context.bus.publish(ProgressMade(self.name, text))


async def _refuse(stream: Stream, frame: Frame) -> None:
    await stream.send_json(FrameType.FAIL, {"message": "validators answer no queries"})


async def _ignore(frame: Frame) -> None:
    return None
