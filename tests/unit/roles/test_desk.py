"""What the receipt desk will not take."""

from __future__ import annotations

from dataclasses import replace
from time import time
from typing import Any, cast

import pytest

from infera.keys import Signer
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import response_hash
from infera.protocol.messages import JobReceipt, JobTicket
from infera.types import FinishReason, Tier
from infera_plugins.roles.router.desk import ReceiptDesk

DOMAIN = Domain(31337, "0x" + "11" * 20)
PROVIDER = Signer.generate()
NOW = int(time())
TICKET = JobTicket(
    job_id=b"\1" * 32,
    sequence=1,
    router=Signer.generate().address,
    account=Signer.generate().address,
    grant=b"\2" * 32,
    provider=PROVIDER.address,
    model_id=b"\3" * 32,
    tier=Tier.OPTIMISTIC,
    request_hash=bytes(32),
    sampling_hash=bytes(32),
    seed=0,
    price_in=1_000_000,
    price_out=1_000_000,
    premium_bps=0,
    max_tokens_in=10,
    max_tokens_out=10,
    max_cost=20,
    issued_at=NOW - 5,
    deadline=NOW + 60,
)
RECEIPT = JobReceipt(
    ticket=TICKET.digest(DOMAIN),
    response_hash=response_hash("yes", FinishReason.STOP),
    tokens_in=3,
    tokens_out=1,
    cost=4,
    finish_reason=FinishReason.STOP,
    evidence=bytes(32),
    completed_at=NOW,
)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, None),
        ({"completed_at": NOW + 3_600}, "future"),
        ({"completed_at": NOW - 60}, "before issuedAt"),
        ({"cost": 5}, "price formula"),
        ({"tokens_out": 11, "cost": 14}, "maxTokensOut"),
        ({"ticket": bytes(32)}, "another ticket"),
    ],
)
def test_a_receipt_is_held_to_its_ticket_and_the_clock(changes: Any, word: str | None) -> None:
    nothing = cast("Any", None)
    desk = ReceiptDesk(DOMAIN, nothing, nothing, nothing)
    receipt = replace(RECEIPT, **changes)
    signature = PROVIDER.sign(receipt.digest(DOMAIN))
    complaint = desk.complaint(TICKET, receipt, signature, "yes", PROVIDER.address)
    assert (complaint is None) if word is None else (word in (complaint or ""))


def test_somebody_elses_signature_is_refused() -> None:
    nothing = cast("Any", None)
    desk = ReceiptDesk(DOMAIN, nothing, nothing, nothing)
    signature = Signer.generate().sign(RECEIPT.digest(DOMAIN))
    assert "not signed" in str(desk.complaint(TICKET, RECEIPT, signature, "yes", PROVIDER.address))
