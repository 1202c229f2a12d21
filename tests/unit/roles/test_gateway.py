"""What the router's gateway decides before and beside the dispatch of a job."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from infera.abc import StreamOptions
from infera.errors import RequestError
from infera.types import Caller, JobRequest, Lockup, Tier
from infera_plugins.roles.router.gateway import RouterGateway
from infera_plugins.roles.router.ledger import Ledger
from infera_plugins.roles.router.settlement import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTER = "0x000000000000000000000000000000000000dEaD"
ACCOUNT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
CALLER = Caller(ACCOUNT, b"\1" * 32, b"\2" * 32)
REQUEST = JobRequest("completion", "m", prompt="hi", seed=1, max_tokens=2)


class Desk:
    """A dispatcher that remembers what it was to start."""

    def __init__(self) -> None:
        self.started: list[JobRequest] = []
        self.earlier: Any = None
        self.store = SimpleNamespace(idempotent=self._idempotent)

    async def _idempotent(self, account: str, key: str) -> Any:
        return self.earlier

    async def start(self, caller: Caller, request: JobRequest, *_: Any) -> Any:
        self.started.append(request)
        return self

    async def close(self) -> None: ...


class Publication:
    async def receipt(self, job: Any) -> dict[str, Any]:
        return {}


def gateway(desk: Desk, pick: Callable[[JobRequest], Tier | None]) -> RouterGateway:
    return RouterGateway(cast("Any", desk), cast("Any", None), cast("Any", Publication()), "", pick)


@pytest.mark.parametrize(
    ("named", "picked", "tier"),
    [
        (None, None, Tier.OPTIMISTIC),
        (None, Tier.ZKML, Tier.ZKML),
        (Tier.TEE, Tier.ZKML, Tier.TEE),
        (Tier.OPTIMISTIC, Tier.ZKML, Tier.OPTIMISTIC),
    ],
)
@pytest.mark.parametrize("key", [None, "again"])
async def test_plugins_pick_the_tier_nobody_named(
    named: Tier | None, picked: Tier | None, tier: Tier, key: str | None
) -> None:
    asked: list[JobRequest] = []

    def pick(request: JobRequest) -> Tier | None:
        asked.append(request)
        return picked

    desk = Desk()
    request = replace(REQUEST, tier=named or Tier.OPTIMISTIC)
    options = StreamOptions(tier_open=named is None)
    async with gateway(desk, pick).submit(CALLER, request, options, key):
        pass
    assert desk.started == [replace(request, tier=tier)]
    assert asked == ([request] if named is None else [])


async def test_a_picked_tier_is_part_of_the_request_that_is_repeated() -> None:
    desk = Desk()
    desk.earlier = SimpleNamespace(
        request=replace(REQUEST, tier=Tier.ZKML), receipt=object(), job_id=b"\3" * 32
    )
    options = StreamOptions(tier_open=True)
    async with gateway(desk, lambda _: Tier.ZKML).submit(CALLER, REQUEST, options, "key") as job:
        assert job.job_id == "03" * 32
    with pytest.raises(RequestError) as caught:
        async with gateway(desk, lambda _: None).submit(CALLER, REQUEST, options, "key"):
            pass
    assert caught.value.code == "idempotency_key_reused"
    assert desk.started == []


# -- accounts


class Vault:
    """A chain with one account's figures."""

    revoked = 0

    async def generation(self, account: str) -> int:
        return self.revoked if account == ACCOUNT else 0

    async def lockup(self, account: str, router: str) -> Lockup:
        return Lockup(70, 20, 0) if account == ACCOUNT else Lockup(0, 0, 0)

    async def free_balance(self, account: str) -> int:
        return 5 if account == ACCOUNT else 0


async def test_anybody_may_ask_for_an_account() -> None:
    chain, ledger, nothing = Vault(), Ledger(ROUTER), cast("Any", None)
    settlement = Settlement(nothing, ROUTER, nothing, cast("Any", chain), ledger, nothing, nothing)
    door = RouterGateway(nothing, settlement, nothing, "", lambda _: None)
    wanted = {"address": ACCOUNT, "generation": 0, "free": 5, "locked": 70}
    assert await door.account_of(ACCOUNT) == wanted
    assert ledger.accounts == {}  # strangers cannot fill the memory
    book = ledger.account(ACCOUNT)
    # What an account is spending right now is its own business: only what the chain shows is told.
    book.reserved = 15
    chain.revoked = 4
    assert await door.account_of(ACCOUNT) == wanted | {"generation": 4}
    assert book.generation == 4
