"""Order of start and stop, and every way a component can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from infera.abc import Component
from infera.bus import EventBus
from infera.errors import (
    ChainUnavailableError,
    NeedsOperatorError,
    PermanentError,
    TransientError,
)
from infera.events import ComponentFailed, Event
from infera.groups import cause
from infera.kernel.lifecycle import Lifecycle, Slot, StopRequested, backoff

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

pytestmark = pytest.mark.anyio

Serve = Callable[["Scripted"], Awaitable[None]]


class Scripted(Component):
    """Does in each `serve` what the script's next step says; the last step repeats."""

    def __init__(self, name: str, log: list[str], *steps: Serve) -> None:
        self.name, self.log = name, log
        self.steps = list(steps)
        self.status: TaskStatus[None]
        self.go = anyio.Event()

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        self.status = task_status
        self.log.append(f"serve {self.name}")
        try:
            await (self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])(self)
        finally:
            self.log.append(f"end {self.name}")


async def runs(it: Scripted) -> None:
    it.status.started()
    await anyio.sleep_forever()


async def runs_until_told(it: Scripted) -> None:
    it.status.started()
    await it.go.wait()


async def never_ready(it: Scripted) -> None:
    await anyio.sleep_forever()


def raises(error: Exception, *, after_start: bool = False) -> Serve:
    async def serve(it: Scripted) -> None:
        if after_start:
            it.status.started()
            await it.go.wait()
        raise error

    return serve


class Recorder(EventBus):
    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def publish(self, event: Event) -> None:
        self.log.append(event.line())
        super().publish(event)


@asynccontextmanager
async def lifecycle(log: list[str], **options: float) -> AsyncIterator[Lifecycle]:
    async with Lifecycle(Recorder(log), backoff=lambda _: 0.0, **options) as life:
        yield life


def slot(component: Component, *, optional: bool = False) -> Slot:
    return Slot(component, "role", component.name, "test", optional)


async def test_start_and_stop_are_a_golden_list() -> None:
    log: list[str] = []
    async with lifecycle(log) as life:
        for name in ("a", "b", "c"):
            await life.start(slot(Scripted(name, log, runs)))
        log.append("-- running")
    assert log == [
        "serve a",
        "started    role a",
        "serve b",
        "started    role b",
        "serve c",
        "started    role c",
        "-- running",
        "end c",
        "stopped    role c",
        "end b",
        "stopped    role b",
        "end a",
        "stopped    role a",
    ]


async def test_failed_start_unwinds_and_names_the_plugin() -> None:
    log: list[str] = []
    with pytest.raises(NeedsOperatorError, match="no stake") as caught:  # noqa: PT012
        async with lifecycle(log) as life:
            await life.start(slot(Scripted("a", log, runs)))
            await life.start(slot(Scripted("b", log, raises(NeedsOperatorError("no stake")))))
    assert log == ["serve a", "started    role a", "serve b", "end b", "end a", "stopped    role a"]
    assert caught.value.__notes__ == ["while starting role 'b' (plugin 'test')"]


async def test_bug_in_start_keeps_its_type() -> None:
    log: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with lifecycle(log) as life:
            await life.start(slot(Scripted("a", log, raises(ZeroDivisionError())), optional=True))


@pytest.mark.parametrize("error", [TransientError("away"), ChainUnavailableError("away")])
async def test_transient_failure_is_tried_again(error: Exception) -> None:
    log: list[str] = []
    async with lifecycle(log) as life:
        await life.start(slot(Scripted("a", log, raises(error), raises(error), runs)))
    assert log.count("serve a") == 3
    assert log.count("failed     role a: away (next attempt in 0 s)") == 2
    assert log.count("started    role a") == 1


async def test_transient_failure_while_running_is_tried_again() -> None:
    log: list[str] = []
    component = Scripted("a", log, raises(TransientError("gone"), after_start=True), runs)
    async with lifecycle(log) as life:
        await life.start(slot(component))
        component.go.set()
        await anyio.wait_all_tasks_blocked()
        assert log.count("serve a") == 2
    assert log.count("started    role a") == 1


async def test_group_of_one_is_the_error_itself() -> None:
    log: list[str] = []
    grouped = ExceptionGroup("tasks", [ExceptionGroup("inner", [TransientError("away")])])
    async with lifecycle(log) as life:
        await life.start(slot(Scripted("a", log, raises(grouped), runs)))
    assert log.count("serve a") == 2


def test_the_cause_of_a_group() -> None:
    final = PermanentError("over")
    assert cause(ExceptionGroup("g", [TransientError("t"), final])) is final
    bug = ExceptionGroup("g", [ValueError(), final])
    assert cause(bug) is bug
    assert cause(final) is final


async def test_permanent_failure_stops_the_node_in_order() -> None:
    log: list[str] = []
    bad = Scripted("b", log, raises(PermanentError("broken"), after_start=True))
    with pytest.raises(PermanentError, match="broken") as caught:  # noqa: PT012
        async with lifecycle(log) as life:
            await life.start(slot(Scripted("a", log, runs)))
            await life.start(slot(bad))
            await life.start(slot(Scripted("c", log, runs)))
            bad.go.set()
            await life.wait()
    assert log[-6:] == [
        "failed     role b: broken",
        "stopped    role b",
        "end c",
        "stopped    role c",
        "end a",
        "stopped    role a",
    ]
    assert caught.value.__notes__ == ["in role 'b' (plugin 'test')"]


async def test_bug_in_a_running_component_stops_the_node() -> None:
    log: list[str] = []
    bad = Scripted("a", log, raises(KeyError("x"), after_start=True))
    with pytest.raises(KeyError):  # noqa: PT012
        async with lifecycle(log) as life:
            await life.start(slot(bad))
            bad.go.set()
            await life.wait()


async def test_optional_component_may_fail_to_start() -> None:
    log: list[str] = []
    async with lifecycle(log) as life:
        bad = Scripted("a", log, raises(PermanentError("no device")))
        assert await life.start(slot(bad, optional=True)) is False
        assert await life.start(slot(Scripted("b", log, runs))) is True
    assert "failed     role a: no device" in log


async def test_optional_component_may_fail_later() -> None:
    log: list[str] = []
    bad = Scripted("a", log, raises(NeedsOperatorError("unplugged"), after_start=True))
    async with lifecycle(log) as life:
        await life.start(slot(bad, optional=True))
        other = Scripted("b", log, runs_until_told)
        await life.start(slot(other))
        bad.go.set()
        await anyio.wait_all_tasks_blocked()
        assert "end b" not in log


async def test_deadline_of_a_start_says_what_was_tried() -> None:
    log: list[str] = []
    with pytest.raises(NeedsOperatorError, match="not ready after 0 s") as caught:
        async with lifecycle(log, start_timeout_s=0) as life:
            await life.start(slot(Scripted("a", log, never_ready)))
    assert caught.value.code == "component_start_timeout"


async def test_deadline_names_the_last_transient_error() -> None:
    log: list[str] = []
    with pytest.raises(NeedsOperatorError) as caught:
        async with lifecycle(log, start_timeout_s=0.05) as life:
            await life.start(slot(Scripted("a", log, raises(TransientError("refused")))))
    assert caught.value.hint == "last error: refused"


async def test_returning_unready_is_a_fault() -> None:
    async def returns(it: Scripted) -> None: ...

    log: list[str] = []
    with pytest.raises(PermanentError, match="without saying that it is ready"):
        async with lifecycle(log) as life:
            await life.start(slot(Scripted("a", log, returns)))


async def test_component_may_finish() -> None:
    log: list[str] = []
    async with lifecycle(log) as life:
        done = Scripted("a", log, runs_until_told)
        await life.start(slot(done))
        done.go.set()
        await anyio.wait_all_tasks_blocked()
        assert log[-1] == "stopped    role a"
        await life.start(slot(Scripted("b", log, runs)))


async def test_stop_while_starting_interrupts_the_start() -> None:
    log: list[str] = []
    async with anyio.create_task_group() as tasks, lifecycle(log) as life:

        async def ask() -> None:
            await anyio.wait_all_tasks_blocked()
            life.stop()

        tasks.start_soon(ask)
        with pytest.raises(StopRequested):
            await life.start(slot(Scripted("a", log, never_ready)))
        with pytest.raises(StopRequested):
            await life.start(slot(Scripted("b", log, runs)))
    assert log == ["serve a", "end a"]


async def test_failure_of_an_earlier_component_interrupts_a_start() -> None:
    log: list[str] = []
    early = Scripted("a", log, raises(PermanentError("fell over"), after_start=True))

    async def ready_when_other_fails(it: Scripted) -> None:
        early.go.set()
        await anyio.sleep_forever()

    with pytest.raises(PermanentError, match="fell over"):  # noqa: PT012
        async with lifecycle(log) as life:
            await life.start(slot(early))
            await life.start(slot(Scripted("b", log, ready_when_other_fails)))


async def test_failure_while_stopping_is_reported() -> None:
    async def trips(it: Scripted) -> None:
        it.status.started()
        try:
            await anyio.sleep_forever()
        finally:
            raise PermanentError("could not save")

    log: list[str] = []
    with pytest.raises(PermanentError, match="could not save"):  # noqa: PT012
        async with lifecycle(log) as life:
            await life.start(slot(Scripted("a", log, runs)))
            await life.start(slot(Scripted("b", log, trips)))
    assert log[-1] == "stopped    role a"


def test_backoff_is_capped() -> None:
    assert [backoff(n) for n in (1, 2, 3, 20, 10_000)] == [0.5, 1.0, 2.0, 30.0, 30.0]


async def test_failure_events_carry_the_delay() -> None:
    log: list[str] = []
    bus = Recorder(log)
    async with bus.subscribe(ComponentFailed) as failures:
        async with Lifecycle(bus, backoff=lambda _: 0.0) as life:
            await life.start(slot(Scripted("a", log, raises(TransientError("x")), runs)))
        assert (await anext(failures)).retry_s == 0.0
