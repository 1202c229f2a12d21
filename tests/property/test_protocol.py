"""Laws of the protocol: codecs are inverses, money is conserved, proofs prove, forgeries do not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infera.errors import ProtocolError
from infera.keys import Signer, recover
from infera.protocol import pricing, sampling
from infera.protocol.abi import checksum_address
from infera.protocol.audit import FaultKind, audit, batch_from_json, batch_to_json
from infera.protocol.batches import Batch, SettledJob, Totals, build_batch
from infera.protocol.eip712 import Domain, TypedStruct
from infera.protocol.jobs import request_from_json, request_hash, request_to_json
from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict
from infera.types import FinishReason, JobRequest, Message, Outcome, Sampling, Tier
from infera_ext import verify_proof

fast = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

digests = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(checksum_address)
tiers = st.sampled_from(Tier)
texts = st.text(st.characters(codec="utf-8"), max_size=40)


def uints(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


u32, u64 = uints(32), uints(64)
grants = st.builds(
    KeyGrant, addresses, digests, st.lists(addresses, max_size=3).map(tuple),
    st.lists(digests, max_size=3).map(tuple), u64, u64, u64, u64, u64, u64, u64, u64,
)  # fmt: skip
tickets = st.builds(
    JobTicket, digests, u64, addresses, addresses, digests, addresses, digests, tiers, digests,
    digests, u64, u64, u64, u32, u32, u32, u64, u64, u64,
)  # fmt: skip
receipts = st.builds(
    JobReceipt, digests, digests, u32, u32, u64, st.sampled_from(FinishReason), digests, u64
)
verdicts = st.builds(Verdict, digests, addresses, st.sampled_from(Outcome), digests)
offers = st.builds(
    ProviderOffer, addresses, st.lists(digests, max_size=3).map(tuple),
    st.lists(tiers, max_size=3).map(tuple), u64, u64, u32, u32, u32, texts.filter(
        lambda t: len(t.encode()) <= 64), u64,
)  # fmt: skip
messages = st.one_of(grants, tickets, receipts, verdicts, offers)
domains = st.builds(Domain, u64, addresses)


@fast
@given(messages, domains)
def test_digests_equal_eth_accounts(message: TypedStruct, domain: Domain) -> None:
    signable = encode_typed_data(full_message=message.typed_data(domain))
    expected = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert message.digest(domain) == expected


@fast
@given(messages)
def test_messages_round_trip(message: TypedStruct) -> None:
    body = orjson.loads(orjson.dumps(message.to_json()))
    assert type(message).from_json(body) == message


@fast
@given(messages, st.data())
def test_a_spoilt_field_is_refused(message: TypedStruct, data: st.DataObject) -> None:
    body = message.to_json()
    key = data.draw(st.sampled_from(sorted(body)))
    bad: list[Any] = [None, -1, 1 << 256, 1.5, b"0x", "\ud800", {}, [None], True]
    body[key] = data.draw(st.sampled_from(bad))
    with pytest.raises(ProtocolError, match=key):
        type(message).from_json(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)


@fast
@given(json_values)
def test_nothing_but_protocol_errors_escapes_the_readers(value: Any) -> None:
    readers: list[Any] = [
        JobTicket.from_json, KeyGrant.from_json, request_from_json, batch_from_json,
    ]  # fmt: skip
    for read in readers:
        with pytest.raises(ProtocolError):
            read(value)


unit = st.floats(0, 1, allow_nan=False)
samplings = st.builds(
    Sampling, unit.map(lambda x: 2 * x), unit, st.integers(0, 1000), unit, unit.map(lambda x: -x)
)
chats = st.builds(
    JobRequest, st.just("chat"), texts,
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), texts),
             min_size=1, max_size=3).map(tuple),
    max_tokens=st.none() | st.integers(1, 1 << 31), stop=st.lists(texts, max_size=3).map(tuple),
    sampling=samplings, seed=st.none() | u64, logprobs=st.none() | st.integers(0, 20), tier=tiers,
)  # fmt: skip
completions = st.builds(
    JobRequest, st.just("completion"), texts, prompt=texts, sampling=samplings, seed=u64, tier=tiers
)


@fast
@given(chats | completions)
def test_requests_round_trip_and_keep_their_hash(request: JobRequest) -> None:
    again = request_from_json(orjson.loads(orjson.dumps(request_to_json(request))))
    assert again == request
    assert request_hash(again) == request_hash(request)


# -- money


@fast
@given(u32, u32, u64, u64, u32)
def test_a_cost_never_exceeds_the_exact_price(a: int, b: int, p: int, q: int, bps: int) -> None:
    cost = pricing.cost(a, b, p, q, bps)
    exact = (a * p + b * q) * (10_000 + bps)
    assert cost * 10**10 <= exact < (cost + 1) * 10**10
    assert pricing.cost(a + 1, b, p, q, bps) >= cost
    assert pricing.cost(a, b, p, q, bps + 1) >= cost


@fast
@given(u64, st.integers(0, 5000), st.integers(0, 5000))
def test_fees_and_net_are_the_cost(cost: int, router_bps: int, protocol_bps: int) -> None:
    parts = pricing.fees(cost, router_bps, protocol_bps)
    assert sum(parts) == cost
    assert min(parts) >= 0


PEOPLE = [checksum_address(bytes([n]) * 20) for n in range(1, 6)]
job_rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 10**7), tiers),
    min_size=1, max_size=40,
)  # fmt: skip


def batch_of(rows: list[tuple[int, int, int, Tier]], index: int, before: Totals) -> Batch:
    jobs = [
        SettledJob(
            bytes([index]) * 16 + i.to_bytes(16, "big"), bytes(32), PEOPLE[4], bytes([grant]) * 32,
            PEOPLE[provider], cost, tier,
        )
        for i, (grant, provider, cost, tier) in enumerate(rows)
    ]  # fmt: skip
    return build_batch(PEOPLE[4], index, jobs, before)


@few
@given(job_rows, job_rows)
def test_money_is_conserved_over_batches(first: Any, second: Any) -> None:
    one = batch_of(first, 0, Totals())
    two = batch_of(second, 1, one.totals)
    assert audit(one, one.header, Totals()) == []
    assert audit(two, two.header, one.totals) == []
    paid = sum(cost for _, _, cost, _ in [*first, *second])
    header = two.header
    assert header.debited == header.credited + header.fees == paid
    assert header.debited == sum(d.debited for d in two.debits)
    assert header.credited == sum(c.credited for c in two.credits)
    assert batch_from_json(orjson.loads(orjson.dumps(batch_to_json(two)))) == two


@few
@given(job_rows, st.data())
def test_proofs_prove_one_row_at_one_place(rows: Any, data: st.DataObject) -> None:
    batch = batch_of(rows, 0, Totals())
    root, count = batch.header.jobs_root, len(rows)
    i = data.draw(st.integers(0, count - 1))
    leaf, proof = batch.prove_job(i)
    assert verify_proof(root, leaf.encode(), i, count, proof.siblings)
    other = replace(leaf, cost=leaf.cost + 1)
    assert not verify_proof(root, other.encode(), i, count, proof.siblings)
    if count > 1:
        assert not verify_proof(root, leaf.encode(), (i + 1) % count, count, proof.siblings)
        assert not verify_proof(root, leaf.encode(), i, count, proof.siblings[:-1])


@few
@given(job_rows, st.data())
def test_any_changed_amount_is_found(rows: Any, data: st.DataObject) -> None:
    batch = batch_of(rows, 0, Totals())
    i = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(["cost", "grant_total", "provider_total"]))
    change = data.draw(st.integers(1, 10**6))
    jobs = list(batch.jobs)
    jobs[i] = replace(jobs[i], **{field: getattr(jobs[i], field) + change})
    lying = replace(batch, jobs=tuple(jobs))
    found = {f.kind for f in audit(lying, batch.header, Totals())}
    assert found >= {FaultKind.ROOT}
    assert found & {FaultKind.GRANT_TOTAL, FaultKind.PROVIDER_TOTAL}


# -- signatures

SIGNER = Signer(b"\x2a" * 32)


@fast
@given(digests, st.integers(0, 519))
def test_a_flipped_bit_never_recovers_the_signer(digest: bytes, bit: int) -> None:
    signature = SIGNER.sign(digest)
    assert recover(digest, signature) == SIGNER.address
    spoilt = (int.from_bytes(signature, "big") ^ (1 << bit)).to_bytes(65, "big")
    with suppress(ProtocolError):
        assert recover(digest, spoilt) != SIGNER.address


# -- sampling


@few
@given(digests, st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_a_higher_rate_samples_a_superset(rand: bytes, a: int, b: int) -> None:
    low, high = sorted((a, b))
    few_, many = (set(sampling.sampled(rand, [rate] * 200)) for rate in (low, high))
    assert few_ <= many
    assert few_ == {i for i in range(200) if sampling.is_sampled(rand, i, low)}


@few
@given(digests)
def test_a_tenth_is_a_tenth(rand: bytes) -> None:
    hits = len(sampling.sampled(rand, [100_000] * 4000))
    assert 400 - 6 * 19 < hits < 400 + 6 * 19  # six standard deviations


@fast
@given(uints(64), uints(64))
def test_the_logarithm_is_monotonous(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert sampling.negative_log2(low) >= sampling.negative_log2(high) >= 0


@fast
@given(st.integers(0, 10**8), st.integers(0, 10**8), st.integers(0, 10**6), uints(17))
def test_the_rate_is_bounded_and_monotonous(a: int, b: int, reputation: int, base: int) -> None:
    low, high = sorted((a, b))
    young = sampling.sampling_rate(low, reputation, base)
    old = sampling.sampling_rate(high, reputation, base)
    assert sampling.TENURED_RATE <= old <= young <= sampling.NEW_RATE
    assert sampling.sampling_rate(low, 10**6, base) <= young


@few
@given(digests, st.integers(0, 9999), st.integers(1, 10**27))
def test_more_stake_never_loses_a_seat_and_leavers_move_nobody(
    rand: bytes, index: int, extra: int
) -> None:
    stakes = dict.fromkeys(PEOPLE, 10**22)
    ranked = sampling.rank_checkers(rand, index, stakes)
    winner = ranked[0]
    assert sampling.elect_checker(rand, index, {**stakes, winner: 10**22 + extra}) == winner
    rest = {v: s for v, s in stakes.items() if v != winner}
    assert sampling.rank_checkers(rand, index, rest) == ranked[1:]


def test_seats_follow_stake() -> None:
    stakes = {person: 10**22 * n for n, person in enumerate(PEOPLE[:4], 1)}
    seats = dict.fromkeys(stakes, 0)
    for index in range(3000):
        winner = sampling.elect_checker(b"\x07" * 32, index, stakes)
        assert winner is not None
        seats[winner] += 1
    for n, person in enumerate(PEOPLE[:4], 1):
        assert abs(seats[person] - 300 * n) < 6 * 27  # six standard deviations at most
