"""What a ticket, a grant and a receipt must say about each other (docs/protocol.md §2).

The same rules for router, provider, validator and anyone with a receipt bundle. Each function
returns sentences about what does not hold; empty means all of it does. Signatures are not their
business (`infera.keys.recover`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.protocol import pricing
from infera.protocol.jobs import request_hash, response_hash, sampling_hash

if TYPE_CHECKING:
    from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
    from infera.types import JobRequest, MicroUSDC


def job_cost(ticket: JobTicket, tokens_in: int, tokens_out: int) -> MicroUSDC:
    """What a job costs under its ticket: the price formula, and never more than `max_cost`."""
    due = pricing.cost(tokens_in, tokens_out, ticket.price_in, ticket.price_out, ticket.premium_bps)
    return min(due, ticket.max_cost)


def grant_faults(grant: KeyGrant, ticket: JobTicket, digest: bytes) -> list[str]:
    """Whether the ticket stays within the grant whose digest is given (single-job limits only).

    Daily and total caps and the generation need the account's history; the ledger and the vault
    hold those. Prices are compared before the tier premium; what it adds is bounded by the caps.
    """
    checks = (
        (ticket.grant == digest, "the ticket is for another grant"),
        (ticket.account == grant.account, "the ticket's account is not the grant's"),
        (ticket.router in grant.routers, "the grant does not name this router"),
        (not grant.models or ticket.model_id in grant.models, "the grant excludes this model"),
        (ticket.price_in <= grant.max_price_in, "priceIn exceeds maxPriceIn"),
        (ticket.price_out <= grant.max_price_out, "priceOut exceeds maxPriceOut"),
        (ticket.max_cost <= grant.per_job_cap, "maxCost exceeds perJobCap"),
        (grant.not_before <= ticket.issued_at, "the grant was not valid yet"),
        (ticket.issued_at <= grant.not_after, "the grant had expired"),
    )
    return [text for holds, text in checks if not holds]


def request_faults(ticket: JobTicket, request: JobRequest) -> list[str]:
    """Whether the ticket is for this request."""
    checks = (
        (ticket.request_hash == request_hash(request), "the ticket is for another request"),
        (
            ticket.sampling_hash == sampling_hash(request.sampling),
            "the ticket is for other sampling parameters",
        ),
        (request.seed == ticket.seed, "the seeds differ"),
        (request.tier == ticket.tier, "the tiers differ"),
        (
            request.max_tokens is None or request.max_tokens >= ticket.max_tokens_out,
            "maxTokensOut exceeds the request's max_tokens",
        ),
    )
    return [text for holds, text in checks if not holds]


def receipt_faults(
    ticket: JobTicket, digest: bytes, receipt: JobReceipt, text: str | None = None
) -> list[str]:
    """Whether the receipt answers the ticket with this digest, and the text if there is one."""
    due = job_cost(ticket, receipt.tokens_in, receipt.tokens_out)
    checks = [
        (receipt.ticket == digest, "the receipt is for another ticket"),
        (receipt.tokens_in <= ticket.max_tokens_in, "tokensIn exceeds maxTokensIn"),
        (receipt.tokens_out <= ticket.max_tokens_out, "tokensOut exceeds maxTokensOut"),
        (receipt.cost == due, f"cost is {receipt.cost}, the price formula gives {due}"),
        (receipt.cost <= ticket.max_cost, "cost exceeds maxCost"),
        (receipt.completed_at >= ticket.issued_at, "completedAt is before issuedAt"),
    ]
    if text is not None:
        right = response_hash(text, receipt.finish_reason)
        checks.append((receipt.response_hash == right, "the text is not what was signed"))
    return [text for holds, text in checks if not holds]
