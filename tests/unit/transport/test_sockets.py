"""Dialling what somebody else has published."""

from __future__ import annotations

import pytest

from infera.errors import NeedsOperatorError, TransientError
from infera.transport.sockets import dial


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "ws://h:99999", "ws://[::1", "ws://a..b:1", f"ws://{'a' * 300}:80", ""],
)
async def test_an_endpoint_that_is_none_is_an_expected_error(url: str) -> None:
    """Routers publish their endpoints themselves: a bad one must not end those who dial it."""
    with pytest.raises(NeedsOperatorError, match="is not a router endpoint"):
        async with dial(url):
            pass


async def test_an_endpoint_where_nobody_listens_may_come_back() -> None:
    with pytest.raises(TransientError, match="cannot reach the router"):
        async with dial("ws://127.0.0.1:1"):
            pass
