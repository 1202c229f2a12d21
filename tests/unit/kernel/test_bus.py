"""Publishers never wait; subscribers get their types in order and learn what they lost."""

from __future__ import annotations

import logging

import anyio
import pytest

from infera.bus import EventBus
from infera.events import ChainRecovered, ComponentStarted, Event, ProgressMade

pytestmark = pytest.mark.anyio


def progress(number: int) -> ProgressMade:
    return ProgressMade("test", str(number))


async def test_events_arrive_in_order() -> None:
    bus = EventBus()
    async with bus.subscribe() as events:
        for number in range(3):
            bus.publish(progress(number))
        assert [await anext(events) for _ in range(3)] == [progress(n) for n in range(3)]


async def test_only_the_subscribed_types_arrive() -> None:
    bus = EventBus()
    async with bus.subscribe(ProgressMade, ChainRecovered) as events:
        bus.publish(ComponentStarted("role", "x"))
        bus.publish(ChainRecovered())
        bus.publish(progress(1))
        assert [await anext(events), await anext(events)] == [ChainRecovered(), progress(1)]


async def test_a_waiting_subscriber_wakes_up() -> None:
    bus = EventBus()
    got: list[Event] = []

    async with bus.subscribe() as events, anyio.create_task_group() as tasks:

        async def wait() -> None:
            got.append(await anext(events))

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        bus.publish(progress(7))
    assert got == [progress(7)]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = EventBus()
    with caplog.at_level(logging.WARNING):
        async with bus.subscribe(buffer=2) as events:
            for number in range(5):
                bus.publish(progress(number))
            assert events.dropped == 3
            assert [await anext(events), await anext(events)] == [progress(3), progress(4)]
    assert "lost 3 event(s)" in caplog.text


async def test_a_cancelled_wait_loses_nothing() -> None:
    bus = EventBus()
    async with bus.subscribe() as events:
        with anyio.move_on_after(0):
            await anext(events)
        bus.publish(progress(1))
        assert await anext(events) == progress(1)


async def test_publishing_without_subscribers_is_fine() -> None:
    bus = EventBus()
    async with bus.subscribe():
        pass
    bus.publish(progress(1))
