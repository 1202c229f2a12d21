"""Batches side by side: a lane a router, in order within it, so that a router that does not answer
keeps nobody else's batches waiting.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from infera.types import Address
    from infera_plugins.roles.validator.journal import Pending


class Lanes:
    """Works on pending batches: of one router one after the other, of `at_once` routers at a time.

    Who waits for a turn waits in line, and a router goes to the end of it after each of its
    batches. So however many batches one has committed, another waits for one of them at most.
    """

    def __init__(
        self, tasks: TaskGroup, work: Callable[[Pending], Awaitable[None]], at_once: int
    ) -> None:
        self._tasks = tasks
        self._work = work
        self._turns = anyio.CapacityLimiter(at_once)
        self._lanes: dict[Address, deque[Pending]] = {}

    def add(self, pending: Pending) -> None:
        """Put a batch at the end of its router's lane, unless it is there already."""
        lane = self._lanes.get(pending.router)
        if lane is None:
            self._lanes[pending.router] = deque([pending])
            self._tasks.start_soon(self._run, pending.router)
        elif pending not in lane:
            lane.append(pending)

    async def _run(self, router: Address) -> None:
        lane = self._lanes[router]
        while lane:
            async with self._turns:
                await self._work(lane[0])
            lane.popleft()
        del self._lanes[router]
