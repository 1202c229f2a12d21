"""The five messages: EIP-712 against eth-account and Solidity, JSON strictness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from infera.errors import ProtocolError
from infera.protocol import leaves, messages
from infera.protocol.eip712 import Domain

if TYPE_CHECKING:
    from types import SimpleNamespace

SPEC = Path(__file__).parents[3] / "docs" / "protocol.md"


def reference_digest(message: Any, domain: Domain) -> bytes:
    signable = encode_typed_data(full_message=message.typed_data(domain))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def test_type_strings_are_those_of_the_specification() -> None:
    spec = SPEC.read_text(encoding="utf-8")
    for name in ("KeyGrant", "JobTicket", "JobReceipt", "Verdict", "ProviderOffer"):
        assert f"\n{getattr(messages, name).type_string()}\n" in spec


def test_digests_equal_eth_accounts(net: SimpleNamespace) -> None:
    for message in net.messages:
        assert message.digest(net.domain) == reference_digest(message, net.domain)


def test_a_digest_is_bound_to_its_domain(net: SimpleNamespace) -> None:
    other_chain = Domain(1, net.domain.verifying_contract)
    other_contract = Domain(31337, net.router.address)
    digests = {net.ticket.digest(d) for d in (net.domain, other_chain, other_contract)}
    assert len(digests) == 3


def test_json_round_trips_through_text(net: SimpleNamespace) -> None:
    for message in net.messages:
        text = orjson.dumps(message.to_json())
        assert type(message).from_json(orjson.loads(text)) == message
        assert list(message.to_json()) == [
            part.split()[1] for part in type(message).type_string().split("(")[1][:-1].split(",")
        ]
    assert Domain.from_json(net.domain.to_json()) == net.domain


def test_unknown_and_missing_fields_are_named(net: SimpleNamespace) -> None:
    for message in net.messages:
        body = message.to_json()
        with pytest.raises(ProtocolError, match="surprise: is not a known field"):
            type(message).from_json({**body, "surprise": 1})
        for key in body:
            rest = {k: v for k, v in body.items() if k != key}
            with pytest.raises(ProtocolError, match=f"{key}: is missing"):
                type(message).from_json(rest)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jobId", "0x12"),
        ("jobId", None),
        ("sequence", -1),
        ("sequence", 1 << 64),
        ("sequence", 1.0),
        ("sequence", True),
        ("router", "0x" + "ab" * 20),
        ("tier", 0),
        ("tier", 4),
        ("tier", True),
        ("premiumBps", 1 << 32),
    ],
)
def test_a_bad_field_is_named(net: SimpleNamespace, field: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=f"JobTicket.{field}"):
        messages.JobTicket.from_json({**net.ticket.to_json(), field: value})


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(ProtocolError):
        messages.JobTicket.from_json(value)


def test_lists_and_strings_are_bounded(net: SimpleNamespace) -> None:
    body = net.grant.to_json()
    too_many = [net.router.address] * (messages.MAX_ROUTERS + 1)
    with pytest.raises(ProtocolError, match="routers: has more"):
        messages.KeyGrant.from_json({**body, "routers": too_many})
    with pytest.raises(ProtocolError, match=r"routers\[0\]"):
        messages.KeyGrant.from_json({**body, "routers": [5]})
    with pytest.raises(ProtocolError, match="region"):
        messages.ProviderOffer.from_json({**net.offer.to_json(), "region": "é" * 33})


def test_a_field_out_of_bounds_cannot_be_signed(net: SimpleNamespace) -> None:
    for change in ({"sequence": 1 << 64}, {"job_id": b"short"}, {"router": "0xabc"}, {"tier": "2"}):
        bad = replace(net.ticket, **change)
        with pytest.raises(ProtocolError, match=next(iter(change))):
            bad.digest(net.domain)


def test_leaves_are_flat_words(net: SimpleNamespace) -> None:
    leaf = leaves.JobLeaf(
        net.ticket.digest(net.domain), net.receipt.digest(net.domain), net.account.address,
        net.ticket.grant, net.provider.address, 29, net.ticket.tier, 1 << 100, 5,
    )  # fmt: skip
    data = leaf.encode()
    assert len(data) == leaves.JOB_LEAF_SIZE
    assert data[5 * 32 : 6 * 32] == (29).to_bytes(32, "big")
    assert data[7 * 32 : 8 * 32] == (1 << 100).to_bytes(32, "big")
    assert leaves.JobLeaf.from_json(leaf.to_json()) == leaf
    assert len(leaves.DebitLeaf(b"\1" * 32, 1, 2, 3).encode()) == leaves.DEBIT_LEAF_SIZE
    assert len(leaves.CreditLeaf(net.provider.address, 1).encode()) == leaves.CREDIT_LEAF_SIZE
