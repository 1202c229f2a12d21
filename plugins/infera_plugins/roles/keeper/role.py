"""The keeper as a component: looks at every task now and then, and does what is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from infera.abc import Role
from infera.errors import (
    ChainError,
    ChainUnavailableError,
    NeedsOperatorError,
    did_you_mean,
)
from infera.events import UpkeepDone, UpkeepRefused
from infera.services.upkeep import Bounds, Duty, Upkeep

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera_plugins.roles.keeper.config import KeeperConfig

_USDC = 1_000_000
_WEI = 10**18
_LOOK = "looking"
"""Stands for the occasion where a task could not even be looked at."""


@dataclass(slots=True)
class _Pause:
    """A duty that was refused: until when it is left alone, and for how long the next time."""

    until: float
    wait_s: float
    reason: str


class KeeperRole(Role):
    """Does upkeep that is due and worth its gas. Any number of keepers may run: who comes second
    sees that nothing is due any more.
    """

    def __init__(self, config: KeeperConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._signer = context.keys.get_or_create(config.key)
        self._bounds = Bounds(
            keeper=self._signer.address,
            least_payout=int(config.least_payout_usdc * _USDC),
            least_release=config.least_release_infr * _WEI,
            routers=tuple(config.routers),
        )
        self._most = int(config.max_cost_eth * _WEI)
        self._done: set[tuple[str, str]] = set()
        self._pauses: dict[tuple[str, str], _Pause] = {}

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        tasks = self.tasks()
        task_status.started()
        while True:
            for task in tasks:
                await self.look(task)
            await anyio.sleep(self._config.interval_s)

    def tasks(self) -> list[str]:
        """The tasks this keeper does. Raises `NeedsOperatorError` for names that are none."""
        there = self._upkeep.tasks
        for name in self._config.tasks:
            if name not in there:
                raise NeedsOperatorError(
                    f"this chain has no task {name!r} for a keeper",
                    code="keeper_task_unknown",
                    hint=did_you_mean(name, there),
                )
        return self._config.tasks or list(there)

    @property
    def _upkeep(self) -> Upkeep:
        if self._chain.upkeep is None:
            raise NeedsOperatorError(
                "this chain has nothing for a keeper to do",
                code="keeper_no_upkeep",
                hint="remove the keeper, or name a chain that has with `chain:`",
            )
        return self._chain.upkeep

    async def look(self, task: str) -> None:
        """Do what is due of one task; what goes wrong becomes an event."""
        try:
            duties = await self._upkeep.due(task, self._bounds)
        except ChainUnavailableError:
            return  # the chain says so itself, on the bus
        except ChainError as error:
            duties = ()
            self._refused(Duty(task, _LOOK, "", ()), error)
        else:
            self._forget(task, {(duty.task, duty.occasion) for duty in duties})
        for duty in duties:
            await self._attend(duty)

    async def _attend(self, duty: Duty) -> None:
        place = (duty.task, duty.occasion)
        pause = self._pauses.get(place)
        if pause is not None and anyio.current_time() < pause.until:
            return
        if place in self._done:
            return  # a node that lags behind still shows it as due
        try:
            cost = await self._upkeep.cost(self._signer, duty)
            if cost > self._most:
                raise ChainError(f"its transaction costs {cost / _WEI:.6f} ETH now")
            tx = await self._upkeep.do(self._signer, duty)
        except ChainUnavailableError:
            return
        except ChainError as error:
            if await self._is_due(duty):
                self._refused(duty, error)
            return
        if duty.occasion:
            self._done.add(place)
        self._pauses.pop(place, None)
        if tx is not None:
            self._context.bus.publish(UpkeepDone(duty.task, duty.detail, tx))

    async def _is_due(self, duty: Duty) -> bool:
        """Whether it still is: if not, another keeper was first, and nothing went wrong."""
        try:
            left = await self._upkeep.due(duty.task, self._bounds)
        except ChainError:
            return True
        return any(other.occasion == duty.occasion for other in left)

    def _refused(self, duty: Duty, error: ChainError) -> None:
        """Leave it alone for a while, ever longer. The same reason is told once."""
        place, reason = (duty.task, duty.occasion), error.revert or error.message
        before = self._pauses.get(place)
        wait_s = self._config.interval_s if before is None else before.wait_s * 2
        wait_s = min(wait_s, self._config.longest_wait_s)
        self._pauses[place] = _Pause(anyio.current_time() + wait_s, wait_s, reason)
        if before is None or before.reason != reason:
            self._context.bus.publish(UpkeepRefused(duty.task, reason, wait_s))

    def _forget(self, task: str, due: set[tuple[str, str]]) -> None:
        """Keep nothing about what is not due any more."""
        self._done = {place for place in self._done if place[0] != task or place in due}
        self._pauses = {
            place: pause
            for place, pause in self._pauses.items()
            if place[0] != task or place in due
        }
