"""Rules between messages, and receipt bundles checked offline."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from infera.errors import ProtocolError
from infera.protocol.batches import SettledJob, Totals, build_batch
from infera.protocol.receipts import Bundle, Expected, LeafProof, verify_bundle
from infera.protocol.rules import grant_faults, job_cost, receipt_faults, request_faults
from infera.types import FinishReason, Tier

if TYPE_CHECKING:
    from types import SimpleNamespace


@pytest.fixture
def bundle(net: SimpleNamespace) -> Bundle:
    """The network's one job, in a batch with two others."""
    ticket, receipt, domain = net.ticket, net.receipt, net.domain
    job = SettledJob(
        ticket.digest(domain), receipt.digest(domain), ticket.account, ticket.grant,
        ticket.provider, receipt.cost, ticket.tier,
    )  # fmt: skip
    others = [replace(job, ticket=bytes([i]) * 32) for i in (1, 2)]
    batch = build_batch(net.router.address, 4, [others[0], job, others[1]], Totals())
    leaf, proof = batch.prove_job(1)
    return Bundle(
        domain, ticket, net.router_hot.sign(ticket.digest(domain)), receipt,
        net.provider_hot.sign(receipt.digest(domain)), net.router_hot.address,
        net.provider_hot.address, "tiny",
        LeafProof(4, 1, proof.count, proof.siblings, batch.header.jobs_root, leaf, b"\7" * 32, 9),
        {"candidates": 3},
    )  # fmt: skip


def failed(checks: list[Any]) -> set[str]:
    return {check.name for check in checks if not check.ok}


def test_an_honest_bundle_passes_all_checks(bundle: Bundle, net: SimpleNamespace) -> None:
    expected = Expected(
        net.domain, net.account.address, net.router.address, net.router_hot.address,
        net.provider_hot.address, net.ticket.model_id,
        bundle.leaf.jobs_root if bundle.leaf else None,
    )  # fmt: skip
    text = orjson.loads(orjson.dumps(bundle.to_json()))
    checks = verify_bundle(text, net.text, net.request, expected)
    assert failed(checks) == set()
    assert [c.name for c in checks[:4]] == [
        "format", "ticket signature", "receipt signature", "receipt",
    ]  # fmt: skip
    assert {c.name for c in checks} >= {"response", "request", "leaf", "proof", "jobs root"}


def test_a_bundle_round_trips_with_and_without_a_leaf(bundle: Bundle) -> None:
    assert Bundle.from_json(bundle.to_json()) == bundle
    bare = replace(bundle, leaf=None, decision=None)
    assert Bundle.from_json(bare.to_json()) == bare
    assert bundle.leaf is not None
    assert bare.with_leaf(bundle.leaf).leaf == bundle.leaf


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        ("ticket.priceOut", 1, "ticket signature"),
        ("receipt.tokensOut", 41, "receipt signature"),
        ("receipt.cost", 27, "receipt"),
        ("signers.router", "provider", "ticket signature"),
        ("signers.provider", "router", "receipt signature"),
        ("domain.chainId", 1, "ticket signature"),
        ("leaf.index", 0, "proof"),
        ("leaf.count", 2, "proof"),
        ("leaf.proof", [], "proof"),
        ("leaf.jobsRoot", "0x" + "00" * 32, "proof"),
        ("leaf.fields.cost", 27, "leaf"),
        ("leaf.fields.grant", "0x" + "00" * 32, "leaf"),
    ],
)
def test_each_forgery_fails_its_check(bundle: Bundle, path: str, value: Any, name: str) -> None:
    body = copy.deepcopy(bundle.to_json())
    keys = {"router": bundle.router_key, "provider": bundle.provider_key}
    *parents, last = path.split(".")
    target = body
    for parent in parents:
        target = target[parent]
    target[last] = keys.get(value, value) if isinstance(value, str) else value
    assert name in failed(verify_bundle(body))


def test_another_text_or_request_fails(bundle: Bundle, net: SimpleNamespace) -> None:
    assert failed(verify_bundle(bundle, net.text + " ")) == {"response"}
    assert failed(verify_bundle(bundle, None, replace(net.request, seed=1))) == {"request"}


def test_what_the_chain_says_otherwise_fails(bundle: Bundle, net: SimpleNamespace) -> None:
    stranger = net.validator.address
    wrong = Expected(
        domain=replace(net.domain, chain_id=1), account=stranger, router=stranger,
        router_key=stranger, provider_key=stranger, model_id=b"\0" * 32, jobs_root=b"\0" * 32,
    )  # fmt: skip
    checks = verify_bundle(bundle, expected=wrong)
    assert failed(checks) == {
        "domain", "account", "router", "router key", "provider key", "model id", "jobs root",
    }  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b.update(version=2),
        lambda b: b.update(version=True),
        lambda b: b.update(extra=1),
        lambda b: b.pop("leaf"),
        lambda b: b.update(ticketSignature="0x00"),
        lambda b: b.update(decision={"x": "y" * 20_000}),
        lambda b: b["leaf"].update(proof=["0x" + "00" * 32] * 33),
        lambda b: b["leaf"].update(tx="0x00"),
        lambda b: b["signers"].update(router="somebody"),
    ],
)
def test_a_malformed_bundle_fails_its_format(bundle: Bundle, spoil: Any) -> None:
    body = copy.deepcopy(bundle.to_json())
    spoil(body)
    assert failed(verify_bundle(body)) == {"format"}
    with pytest.raises(ProtocolError):
        Bundle.from_json(body)
    assert failed(verify_bundle("text")) == {"format"}


def test_cost_is_capped_by_the_ticket(net: SimpleNamespace) -> None:
    assert job_cost(net.ticket, 20, 40) == 28  # floor(27,000,000 * 1.05 / 1,000,000)
    assert job_cost(net.ticket, 10**6, 10**6) == net.ticket.max_cost


def test_grant_rules(net: SimpleNamespace) -> None:
    grant, ticket, digest = net.grant, net.ticket, net.ticket.grant
    assert grant_faults(grant, ticket, digest) == []
    assert (
        grant_faults(replace(grant, models=()), replace(ticket, model_id=b"x" * 32), digest) == []
    )
    for change in (
        {"grant": b"\0" * 32},
        {"account": net.router.address},
        {"router": net.account.address},
        {"model_id": b"\0" * 32},
        {"price_in": 200_001},
        {"price_out": 900_001},
        {"max_cost": 1_000_001},
        {"issued_at": 1},
        {"issued_at": 1_900_000_000},
    ):
        assert len(grant_faults(grant, replace(ticket, **change), digest)) == 1


def test_request_rules(net: SimpleNamespace) -> None:
    assert request_faults(net.ticket, net.request) == []
    assert len(request_faults(net.ticket, replace(net.request, tier=Tier.ZKML))) == 2
    assert len(request_faults(net.ticket, replace(net.request, max_tokens=63))) == 2


def test_receipt_rules(net: SimpleNamespace) -> None:
    digest = net.ticket.digest(net.domain)
    assert receipt_faults(net.ticket, digest, net.receipt, net.text) == []
    assert receipt_faults(net.ticket, b"\0" * 32, net.receipt)
    for change in (
        {"tokens_in": 101},
        {"tokens_out": 65},
        {"cost": 29},
        {"completed_at": 1},
        {"finish_reason": FinishReason.LENGTH},
    ):
        assert receipt_faults(net.ticket, digest, replace(net.receipt, **change), net.text)
