"""What a provider bids, and how many seats a router asks for: pure choices."""

from __future__ import annotations

from typing import Any, cast

import pytest

from infera.protocol.messages import ProviderOffer
from infera.services.models import OfficialModel
from infera.services.seats import Loadout, Pool, Seat, SeatRules
from infera.types import Tier
from infera_plugins.roles.provider.config import SeatConfig
from infera_plugins.roles.provider.seats import Waiting, Wish, price
from infera_plugins.roles.provider.stake import missing_stake
from infera_plugins.roles.router.demand import Demand, Load
from infera_plugins.roles.router.index import Peer, ProviderIndex, ServedModel
from infera_plugins.roles.router.names import Names

MODEL, OTHER = b"\7" * 32, b"\10" * 32
RULES = SeatRules(freshness=900, notice=60, epoch_length=3600, margin_bps=500, reward_bps=500)
LOADOUT = Loadout(100, 8, (Tier.OPTIMISTIC,))
WISH = Wish("m", 20, 10, LOADOUT)
NOW = 1_000


def pool(**changes: Any) -> Pool:
    values: dict[str, Any] = {
        "rate": 100,
        "min_seats": 1,
        "max_seats": 4,
        "seats": 2,
        "taken": 2,
        "budget": 0,
        "seats_due": 2,
    }
    return Pool(**values | changes)


def seat(ask: int, leaves_at: int = 0) -> Seat:
    return Seat("0x" + "1" * 40, ask, LOADOUT, 1, leaves_at, NOW, NOW, ask, 0)


# -- bids


def test_a_free_seat_is_bid_for_at_the_full_ask() -> None:
    assert price(WISH, pool(), [seat(1)], RULES, NOW) == 20
    # What the pool allows at most is asked if that is less.
    assert price(WISH, pool(rate=60), [], RULES, NOW) == 15
    # A seat whose notice is over goes to any bid.
    assert price(WISH, pool(), [seat(1), seat(2, leaves_at=NOW)], RULES, NOW) == 20


def test_a_taken_seat_is_bid_for_at_the_most_that_wins_it() -> None:
    assert price(WISH, pool(), [seat(12), seat(18)], RULES, NOW) == 17
    assert price(WISH, pool(), [seat(25), seat(25)], RULES, NOW) == 20
    # One that is leaving is not displaced, however dear.
    assert price(WISH, pool(), [seat(15), seat(25, leaves_at=NOW + 1)], RULES, NOW) == 14


@pytest.mark.parametrize(
    ("terms", "seats", "why"),
    [
        (pool(rate=0), [], "nothing is paid"),
        (pool(rate=36), [], "a seat is paid 9 micro-USDC a second at most"),
        (pool(), [seat(10), seat(9)], "the dearest of its 2 seats asks 10"),
        (pool(), [seat(1, NOW + 1), seat(2, NOW + 9)], "by providers that are leaving"),
    ],
)
def test_there_is_no_bid_below_the_lowest_ask(terms: Pool, seats: list[Seat], why: str) -> None:
    with pytest.raises(Waiting, match=why):
        price(WISH, terms, seats, RULES, NOW)


def test_a_lowest_ask_above_the_ask_is_a_mistake() -> None:
    assert SeatConfig(ask=5).lowest_ask is None
    with pytest.raises(ValueError, match="lowest_ask must not be above ask"):
        SeatConfig(ask=5, lowest_ask=6)


def test_missing_stake_is_told_exactly() -> None:
    infr = 10**18
    assert missing_stake("0xA", infr, infr, "it") is None
    assert missing_stake("0xA", infr, infr * 5 // 2, "its throughput") == (
        "its throughput asks for a stake of 2.5 INFR, and provider 0xA has 1: 1.5 INFR are "
        "missing; add them with `infera stake deposit provider 1.5`, or claim less throughput"
    )
    assert "0.000000000000000001 INFR are missing" in str(missing_stake("0xA", 0, 1, "it"))


# -- demand


@pytest.mark.parametrize(
    ("load", "seats"),
    [
        (Load(placed=99, refused=1, peak=1.0), 3),  # one in a hundred
        (Load(placed=100, refused=1, peak=1.0), 2),  # fewer than that
        (Load(placed=0, refused=1), 3),
        (Load(placed=5, peak=0.5), 1),
        (Load(placed=5, peak=0.51), 2),
        (Load(), 1),
    ],
)
def test_a_load_asks_for_seats(load: Load, seats: int) -> None:
    assert load.seats(pool(), providers=2) == seats


def test_a_wish_stays_between_the_bounds() -> None:
    assert Load(refused=1).seats(pool(seats_due=4), 1) == 4
    assert Load().seats(pool(seats_due=1), 1) == 1
    # Signals that are not counted yet count.
    assert Load(refused=1).seats(pool(seats=2, seats_due=3), 1) == 4
    assert Load().seats(pool(), providers=0) is None
    assert Load(refused=1).seats(pool(), providers=0) == 3


def peer(number: int, model_id: bytes = MODEL, **changes: Any) -> Peer:
    offer = ProviderOffer(
        provider="0x" + f"{number:040x}",
        models=(model_id,),
        tiers=(Tier.OPTIMISTIC,),
        price_in=changes.pop("price_in", 100),
        price_out=100,
        premium_bps=0,
        tokens_per_second=10,
        capacity=4,
        region="",
        not_after=2**40,
    )
    made = Peer(
        address=offer.provider,
        hot_key=offer.provider,
        link=cast("Any", None),
        offer=offer,
        offer_signature=b"",
        models={"m": ServedModel("m", model_id, 1024)},
        joined_at=0,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def official(model_id: bytes = MODEL, name: str = "bird", price_in: int = 100) -> OfficialModel:
    return OfficialModel(model_id, name, 1, price_in, 100, 0, True, 100, 1, 4)


def test_load_is_measured_for_official_models_alone() -> None:
    index = ProviderIndex()
    demand = Demand(index)
    busy = peer(1, in_flight=4)
    index.add(busy)
    demand.placed("m")
    demand.refused("m")
    assert demand.take() == {}
    index.names.learn(official())
    demand.refused("bird")
    demand.placed("bird")
    busy.in_flight = 1
    demand.refused("bird")  # somebody has a slot: it is not seats that are missing
    demand.refused("bird", busy=True)
    demand.sample()
    assert demand.take() == {MODEL: Load(placed=1, refused=2, peak=1.0)}
    demand.sample()
    assert demand.take() == {MODEL: Load(peak=0.25)}


# -- names


def test_the_operator_then_the_registry_then_the_first_offer() -> None:
    names = Names(fixed={"mine": OTHER})
    names.first |= {"m": OTHER, "bird": OTHER}
    names.learn(official())
    assert (names.get("mine"), names.get("bird"), names.get("m")) == (OTHER, MODEL, OTHER)
    names.learn(official(name="mine"))  # renamed
    assert names.get("mine") == OTHER
    assert names.get("bird") == OTHER
    names.forget(MODEL)
    assert names.official == {}
    assert "nothing" not in names


def test_a_name_that_moved_is_not_taken_away_by_its_old_model() -> None:
    names = Names()
    names.learn(official())
    names.learn(official(OTHER))
    names.forget(MODEL)
    assert names.get("bird") == OTHER


def test_an_official_name_finds_the_model_under_whatever_name_it_is_offered() -> None:
    index = ProviderIndex()
    first, second = peer(1), peer(2, OTHER)
    index.add(first)
    index.add(second)
    index.names.learn(official())
    assert index.offering("bird") == [first]
    served = index.served(first, "bird")
    assert served is not None
    assert served.name == "m"
    assert index.on_offer() == ["bird", "m"]


def test_nobody_above_a_ceiling_is_chosen() -> None:
    index = ProviderIndex()
    index.add(peer(1, price_in=101))
    index.add(peer(2, price_in=100))
    index.names.learn(official())
    ranked = index.rank("bird", Tier.OPTIMISTIC, (1, 1), (10**9, 10**9))
    assert [candidate.peer.offer.price_in for candidate in ranked] == [100]
    refusal = index.names.excess(peer(1, price_in=101).offer)
    assert refusal is not None
    assert "101 for prompt tokens is above 100" in refusal
    assert index.names.excess(peer(3, OTHER, price_in=10**6).offer) is None
