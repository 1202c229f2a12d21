"""Starts components one after another and stops them in reverse.

Each component runs in a task group of its own, all on one exit stack. A component that fails
after its start does not cancel the others at once: it asks the node to stop, and the node stops
in order.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import anyio
from anyio.abc import TaskGroup, TaskStatus

from infera.errors import (
    ChainUnavailableError,
    InferaError,
    NeedsOperatorError,
    PermanentError,
    TransientError,
)
from infera.events import ComponentFailed, ComponentStarted, ComponentStopped
from infera.groups import cause

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from infera.abc import Component
    from infera.bus import EventBus

_log = logging.getLogger(__name__)

START_TIMEOUT_S = 180.0
STEADY_S = 60.0
"""A component that ran this long before it failed starts its backoff anew."""


def backoff(attempt: int) -> float:
    """Seconds before the attempt after `attempt` failures: 0.5, 1, 2, … at most 30."""
    return float(min(30.0, 0.5 * 2 ** min(attempt - 1, 10)))


class StopRequested(Exception):  # noqa: N818
    """Raised by `start` when the node was asked to stop meanwhile."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A component with its place in the node. `layer` is singular: `engine`, `role`, …"""

    component: Component
    layer: str
    name: str
    plugin: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.layer} {self.name!r} (plugin {self.plugin!r})"


class _Status(TaskStatus[None]):
    """Forwards the first `started()`; a retried component may say it again."""

    def __init__(self, inner: TaskStatus[None], on_start: Callable[[], None]) -> None:
        self._inner, self._on_start = inner, on_start
        self.reported = False

    def started(self, value: None = None) -> None:
        if not self.reported:
            self.reported = True
            self._inner.started()
            self._on_start()


class Lifecycle:
    """Use as `async with Lifecycle(bus) as life`, then `life.start(slot)` each and `life.wait()`.

    `start` leaves a task group open, so it may not run inside a scope opened after the lifecycle.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        backoff: Callable[[int], float] = backoff,
    ) -> None:
        self._bus = bus
        self._start_timeout_s = start_timeout_s
        self._backoff = backoff
        self._stack = AsyncExitStack()
        self._stopping = anyio.Event()
        self._starting: anyio.CancelScope | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Lifecycle:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The stack is not told of the error: its task groups would not wait for each other's turn.
        await self._stack.aclose()
        if self._failure is not None and error is None:
            raise self._failure

    async def start(self, slot: Slot) -> bool:
        """Start a component and wait until it is ready; False if it is optional and failed.

        Raises what the component raised, with a note that names it, or `StopRequested`.
        """
        if self._stopping.is_set():
            self._raise_stop()
        # The group stays on the stack even if the start fails: a component may leave tasks to
        # wind down.
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        try:
            with anyio.CancelScope() as scope:
                self._starting = scope
                await self._start(slot, group)
        except Exception as error:
            error.add_note(f"while starting {slot}")
            if not slot.optional or not isinstance(error, InferaError):
                raise
            self._bus.publish(ComponentFailed(slot.layer, slot.name, error.message))
            _log.warning("optional %s failed to start: %s", slot, error)
            return False
        finally:
            self._starting = None
        if scope.cancelled_caught:
            self._raise_stop()
        return True

    async def wait(self) -> None:
        """Until somebody asks for a stop; raises the failure if a component asked by failing."""
        await self._stopping.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask for an orderly stop. Callable at any time, more than once."""
        self._stopping.set()
        if self._starting is not None:
            self._starting.cancel()

    async def _start(self, slot: Slot, group: TaskGroup) -> None:
        last: list[InferaError] = []
        with anyio.move_on_after(self._start_timeout_s) as deadline:
            await group.start(self._supervise, slot, last, name=f"{slot.layer} {slot.name}")
        if deadline.cancelled_caught:
            raise NeedsOperatorError(
                f"{slot} was not ready after {self._start_timeout_s:g} s",
                code="component_start_timeout",
                hint=f"last error: {last[-1].message}"
                if last
                else "its log may say what it waits for",
            )

    async def _supervise(
        self,
        slot: Slot,
        last: list[InferaError],
        *,
        task_status: TaskStatus[None],
    ) -> None:
        status = _Status(
            task_status, lambda: self._bus.publish(ComponentStarted(slot.layer, slot.name))
        )
        try:
            await self._serve(slot, last, status)
        except Exception as error:
            if not status.reported:
                raise
            self._failed(slot, error)
        finally:
            if status.reported:
                self._bus.publish(ComponentStopped(slot.layer, slot.name))

    async def _serve(self, slot: Slot, last: list[InferaError], status: _Status) -> None:
        attempt = 0
        while True:
            began = anyio.current_time()
            try:
                await slot.component.serve(task_status=status)
            except Exception as raised:
                error = cause(raised)
                if not isinstance(error, (TransientError, ChainUnavailableError)):
                    if error is raised:
                        raise
                    raise error from raised
                last[:] = [error]
            else:
                break
            attempt = 1 if anyio.current_time() - began > STEADY_S else attempt + 1
            delay = self._backoff(attempt)
            self._bus.publish(ComponentFailed(slot.layer, slot.name, last[0].message, delay))
            await anyio.sleep(delay)
        if not status.reported:
            raise PermanentError(
                f"{slot} returned without saying that it is ready",
                hint="`serve` must call task_status.started()",
            )

    def _failed(self, slot: Slot, error: Exception) -> None:
        """A running component gave up."""
        error.add_note(f"in {slot}")
        reason = error.message if isinstance(error, InferaError) else repr(error)
        self._bus.publish(ComponentFailed(slot.layer, slot.name, reason))
        if slot.optional:
            _log.error("optional %s failed", slot, exc_info=error)
            return
        if self._failure is None:
            self._failure = error
        self.stop()

    def _raise_stop(self) -> NoReturn:
        raise self._failure if self._failure is not None else StopRequested
