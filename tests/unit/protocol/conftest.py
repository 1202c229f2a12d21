"""A small network with fixed keys: one router, one provider, one account, one job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from infera.keys import Signer
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import request_hash, response_hash, sampling_hash, token_commitment
from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict
from infera.types import FinishReason, JobRequest, Message, Outcome, Tier


@pytest.fixture(scope="session")
def net() -> SimpleNamespace:
    """Signers, domain, one message of each kind, its request and its answer."""
    account, router, provider, router_hot, provider_hot, validator, contract = (
        Signer(bytes([n]) * 32) for n in range(1, 8)
    )
    domain = Domain(31337, contract.address)
    request = JobRequest(
        "chat", "tiny", (Message("user", "Grüße, 世界 🌍"),), max_tokens=64, seed=2**64 - 1
    )
    model_id = b"\x11" * 32
    grant = KeyGrant(
        account.address, b"\x22" * 32, (router.address,), (model_id,), 200_000, 900_000,
        1_000_000, 5_000_000, 50_000_000, 1_700_000_000, 1_800_000_000, 3,
    )  # fmt: skip
    ticket = JobTicket(
        b"\x33" * 32, 7, router.address, account.address, grant.digest(domain), provider.address,
        model_id, Tier.OPTIMISTIC, request_hash(request), sampling_hash(request.sampling),
        2**64 - 1, 150_000, 600_000, 500, 100, 64, 60, 1_700_000_100, 1_700_000_400,
    )  # fmt: skip
    text = "Hallo!"
    receipt = JobReceipt(
        ticket.digest(domain), response_hash(text, FinishReason.STOP), 20, 40, 28,
        FinishReason.STOP, token_commitment((1, 2, 3), (4, 5)), 1_700_000_105,
    )  # fmt: skip
    verdict = Verdict(b"\x44" * 32, validator.address, Outcome.UPHELD, b"\x55" * 32)
    offer = ProviderOffer(
        provider.address, (model_id,), (Tier.OPTIMISTIC, Tier.TEE), 150_000, 600_000, 500, 30, 4,
        "eu-west", 1_800_000_000,
    )  # fmt: skip
    return SimpleNamespace(
        account=account, router=router, provider=provider, router_hot=router_hot,
        provider_hot=provider_hot, validator=validator, domain=domain, request=request, text=text,
        grant=grant, ticket=ticket, receipt=receipt, verdict=verdict, offer=offer,
        messages=(grant, ticket, receipt, verdict, offer),
    )  # fmt: skip
