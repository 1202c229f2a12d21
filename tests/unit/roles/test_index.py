"""The choice among providers: total, explainable, and within the caller's limits."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from infera.protocol.messages import ProviderOffer
from infera.types import Tier
from infera_plugins.roles.router.index import Peer, ProviderIndex, ServedModel
from infera_plugins.roles.router.names import Names

MODEL = b"\7" * 32
CEILING = (10**9, 10**9)


def _peer(number: int, **changes: Any) -> Peer:
    offer = ProviderOffer(
        provider="0x" + f"{number:040x}",
        models=(MODEL,),
        tiers=changes.pop("tiers", (Tier.OPTIMISTIC,)),
        price_in=changes.pop("price_in", 100),
        price_out=changes.pop("price_out", 100),
        premium_bps=0,
        tokens_per_second=10,
        capacity=changes.pop("capacity", 4),
        region="",
        not_after=2**40,
    )
    peer = Peer(
        address=offer.provider,
        hot_key=offer.provider,
        link=cast("Any", None),
        offer=offer,
        offer_signature=b"",
        models={"m": ServedModel("m", changes.pop("model_id", MODEL), 1024)},
        joined_at=0,
    )
    for name, value in changes.items():
        setattr(peer, name, value)
    return peer


def _index(*peers: Peer) -> ProviderIndex:
    index = ProviderIndex(names=Names({"m": MODEL}))
    for peer in peers:
        index.add(peer)
    return index


def _best(index: ProviderIndex, **changes: Any) -> str | None:
    ranked = index.rank(
        changes.get("name", "m"),
        changes.get("tier", Tier.OPTIMISTIC),
        (100, 100),
        changes.get("ceiling", CEILING),
        changes.get("exclude", ()),
    )
    return ranked[0].peer.address if ranked else None


def test_each_term_of_the_score_decides_when_the_others_are_equal() -> None:
    for worse in (
        {"price_out": 150},
        {"latency_s": 1.0},
        {"in_flight": 3},
        {"error_rate": 0.5},
        {"distrust": 0.2},
        {"served": 9},
    ):
        good, bad = _peer(2), _peer(1, **worse)
        assert _best(_index(bad, good)) == good.address, worse


def test_who_cannot_take_the_job_is_not_asked() -> None:
    unfit = (
        _peer(1, draining=True),
        _peer(2, in_flight=4),
        _peer(3, tiers=(Tier.TEE,)),
        _peer(4, model_id=b"\6" * 32),
        _peer(5, price_in=2 * 10**9),
    )
    assert _best(_index(*unfit)) is None
    last = _peer(6)
    index = _index(*unfit, last)
    assert _best(index) == last.address
    assert _best(index, exclude={last.address}) is None
    assert _best(index, name="another") is None


def test_a_provider_that_came_back_is_not_removed_with_its_old_connection() -> None:
    index = _index()
    old, new = _peer(1), _peer(1)
    index.add(old)
    index.add(new)
    index.remove(old)
    assert index.peers == {new.address: new}


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.floats(0.001, 5), st.floats(0, 1), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_the_order_is_total_and_does_not_depend_on_who_came_first(
    rows: list[tuple[int, float, float, int]],
) -> None:
    peers = [
        _peer(n, price_in=p, latency_s=lat, error_rate=err, in_flight=busy)
        for n, (p, lat, err, busy) in enumerate(rows, 1)
    ]
    forth = [c.peer.address for c in _index(*peers).rank("m", Tier.OPTIMISTIC, (7, 9), CEILING)]
    back = [
        c.peer.address for c in _index(*peers[::-1]).rank("m", Tier.OPTIMISTIC, (7, 9), CEILING)
    ]
    assert forth == back
    assert len(forth) == len(rows)


def test_the_figures_behind_a_choice_are_told() -> None:
    candidate = _index(_peer(1)).rank("m", Tier.OPTIMISTIC, (1, 1), CEILING)[0]
    assert set(candidate.to_json()) == {
        "provider",
        "price",
        "latency_ms",
        "load",
        "errors",
        "distrust",
        "score",
    }
