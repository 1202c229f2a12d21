"""Receipt bundles: everything about one job that a third party needs to check it offline.

```
{"version": 1, "domain": {"chainId", "verifyingContract"},
 "ticket": JobTicket, "ticketSignature": hex, "receipt": JobReceipt, "receiptSignature": hex,
 "signers": {"router": hot key, "provider": hot key}, "model": name,
 "leaf": null | {"batch", "index", "count", "proof": [hex], "jobsRoot", "fields": JobLeaf,
                 "tx": hex | null, "block": int | null},
 "decision": null | the router's routing decision}
```

What a bundle cannot prove by itself is that its hot keys and its root are the chain's: whoever has
a chain at hand passes those as `Expected`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infera.errors import ProtocolError
from infera.protocol.abi import (
    from_hex,
    json_address,
    json_list,
    json_object,
    json_text,
    json_uint,
    to_hex,
)
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import canonical_json
from infera.protocol.leaves import JobLeaf
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.rules import receipt_faults, request_faults
from infera.protocol.signatures import recover
from infera_ext import verify_proof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infera.types import Address, JobRequest

VERSION = 1
MAX_PROOF = 32
MAX_DECISION = 16 << 10
_KEYS = frozenset(
    (
        "version",
        "domain",
        "ticket",
        "ticketSignature",
        "receipt",
        "receiptSignature",
        "signers",
        "model",
        "leaf",
        "decision",
    )
)
_LEAF_KEYS = frozenset(("batch", "index", "count", "proof", "jobsRoot", "fields", "tx", "block"))


@dataclass(frozen=True, slots=True)
class LeafProof:
    """Where a job sits in its batch. `tx` and `block`: of the commit, None before it is mined."""

    batch: int
    index: int
    count: int
    proof: tuple[bytes, ...]
    jobs_root: bytes
    fields: JobLeaf
    tx: bytes | None = None
    block: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The bundle's `leaf` object."""
        return {
            "batch": self.batch,
            "index": self.index,
            "count": self.count,
            "proof": [to_hex(sibling) for sibling in self.proof],
            "jobsRoot": to_hex(self.jobs_root),
            "fields": self.fields.to_json(),
            "tx": None if self.tx is None else to_hex(self.tx),
            "block": self.block,
        }

    @classmethod
    def from_json(cls, value: object, path: str = "leaf") -> LeafProof:
        """Strict inverse of `to_json`."""
        got = json_object(value, _LEAF_KEYS, path)
        proof = json_list(got["proof"], MAX_PROOF, f"{path}.proof")
        return cls(
            batch=json_uint(got["batch"], 64, f"{path}.batch"),
            index=json_uint(got["index"], 32, f"{path}.index"),
            count=json_uint(got["count"], 32, f"{path}.count"),
            proof=tuple(from_hex(p, 32, f"{path}.proof[{i}]") for i, p in enumerate(proof)),
            jobs_root=from_hex(got["jobsRoot"], 32, f"{path}.jobsRoot"),
            fields=JobLeaf.from_json(got["fields"], f"{path}.fields"),
            tx=None if got["tx"] is None else from_hex(got["tx"], 32, f"{path}.tx"),
            block=None if got["block"] is None else json_uint(got["block"], 64, f"{path}.block"),
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A receipt bundle. `router_key` and `provider_key` are the hot keys that signed."""

    domain: Domain
    ticket: JobTicket
    ticket_signature: bytes
    receipt: JobReceipt
    receipt_signature: bytes
    router_key: Address
    provider_key: Address
    model: str
    leaf: LeafProof | None = None
    decision: Any = None

    def to_json(self) -> dict[str, Any]:
        """The JSON object at the top of this module."""
        return {
            "version": VERSION,
            "domain": self.domain.to_json(),
            "ticket": self.ticket.to_json(),
            "ticketSignature": to_hex(self.ticket_signature),
            "receipt": self.receipt.to_json(),
            "receiptSignature": to_hex(self.receipt_signature),
            "signers": {"router": self.router_key, "provider": self.provider_key},
            "model": self.model,
            "leaf": None if self.leaf is None else self.leaf.to_json(),
            "decision": self.decision,
        }

    @classmethod
    def from_json(cls, value: object) -> Bundle:
        """Strict, bounded inverse of `to_json`; shape only, `verify_bundle` judges the content."""
        got = json_object(value, _KEYS, "")
        if type(got["version"]) is not int or got["version"] != VERSION:
            raise ProtocolError(f"version: this program reads version {VERSION}")
        signers = json_object(got["signers"], frozenset(("router", "provider")), "signers")
        if len(canonical_json(got["decision"])) > MAX_DECISION:
            raise ProtocolError(f"decision: is longer than {MAX_DECISION} bytes")
        return cls(
            domain=Domain.from_json(got["domain"]),
            ticket=JobTicket.from_json(got["ticket"], "ticket"),
            ticket_signature=from_hex(got["ticketSignature"], 65, "ticketSignature"),
            receipt=JobReceipt.from_json(got["receipt"], "receipt"),
            receipt_signature=from_hex(got["receiptSignature"], 65, "receiptSignature"),
            router_key=json_address(signers["router"], "signers.router"),
            provider_key=json_address(signers["provider"], "signers.provider"),
            model=json_text(got["model"], 256, "model"),
            leaf=None if got["leaf"] is None else LeafProof.from_json(got["leaf"]),
            decision=got["decision"],
        )

    def with_leaf(self, leaf: LeafProof) -> Bundle:
        """The same bundle once its job is in a batch."""
        return replace(self, leaf=leaf)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the verifier knows better than the bundle: from the chain, or from its own records."""

    domain: Domain | None = None
    account: Address | None = None
    router: Address | None = None
    router_key: Address | None = None
    provider_key: Address | None = None
    model_id: bytes | None = None
    jobs_root: bytes | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str


def verify_bundle(
    bundle: Bundle | object,
    response_text: str | None = None,
    request: JobRequest | None = None,
    expected: Expected | None = None,
) -> list[Check]:
    """Check a bundle (or its JSON object) offline. All `ok` means every check that could run held.

    Runs: format, both signatures, the links between digests, costs and caps; with `response_text`
    the response hash, with `request` the request hash, with a leaf its fields and its proof, and
    one check for each thing `expected` names. Never raises for what the bundle says.
    """
    if not isinstance(bundle, Bundle):
        try:
            bundle = Bundle.from_json(bundle)
        except ProtocolError as error:
            return [Check("format", False, error.message)]
    ticket, receipt = bundle.ticket, bundle.receipt
    try:
        ticket_digest, receipt_digest = ticket.digest(bundle.domain), receipt.digest(bundle.domain)
    except ProtocolError as error:
        return [Check("format", False, error.message)]
    checks = [
        Check("format", True, f"version {VERSION}"),
        _signature("ticket signature", ticket_digest, bundle.ticket_signature, bundle.router_key),
        _signature(
            "receipt signature", receipt_digest, bundle.receipt_signature, bundle.provider_key
        ),
        _faults(
            "receipt",
            receipt_faults(ticket, ticket_digest, receipt),
            f"{receipt.tokens_in} + {receipt.tokens_out} tokens for {receipt.cost} micro-USDC",
        ),
    ]
    if response_text is not None:
        wrong = set(receipt_faults(ticket, ticket_digest, receipt, response_text))
        wrong -= set(receipt_faults(ticket, ticket_digest, receipt))
        checks.append(_faults("response", wrong, "the text is what the provider signed"))
    if request is not None:
        checks.append(
            _faults("request", request_faults(ticket, request), "the request is the ticket's")
        )
    if bundle.leaf is not None:
        checks += _check_leaf(bundle, bundle.leaf, ticket_digest, receipt_digest)
    if expected is not None:
        checks += _check_expected(bundle, expected)
    return checks


def _signature(name: str, digest: bytes, signature: bytes, signer: Address) -> Check:
    try:
        found = recover(digest, signature)
    except ProtocolError as error:
        return Check(name, False, error.message)
    detail = f"by {found}" if found == signer else f"by {found}, the bundle names {signer}"
    return Check(name, found == signer, detail)


def _faults(name: str, faults: Iterable[str], good: str) -> Check:
    found = "; ".join(faults)
    return Check(name, not found, found or good)


def _check_leaf(
    bundle: Bundle, leaf: LeafProof, ticket_digest: bytes, receipt_digest: bytes
) -> list[Check]:
    ticket, fields = bundle.ticket, leaf.fields
    pairs = {
        "ticket": (fields.ticket, ticket_digest),
        "receipt": (fields.receipt, receipt_digest),
        "account": (fields.account, ticket.account),
        "grant": (fields.grant, ticket.grant),
        "provider": (fields.provider, ticket.provider),
        "cost": (fields.cost, bundle.receipt.cost),
        "tier": (fields.tier, ticket.tier),
    }
    wrong = [f"the leaf's {name} differs" for name, (got, want) in pairs.items() if got != want]
    proven = verify_proof(leaf.jobs_root, fields.encode(), leaf.index, leaf.count, leaf.proof)
    place = f"leaf {leaf.index} of {leaf.count} in batch {leaf.batch}"
    return [
        _faults("leaf", wrong, "the leaf is this job's"),
        Check("proof", proven, place if proven else f"no proof that it is {place}"),
    ]


def _check_expected(bundle: Bundle, expected: Expected) -> list[Check]:
    root = bundle.leaf.jobs_root if bundle.leaf is not None else None
    pairs = {
        "domain": (bundle.domain, expected.domain),
        "account": (bundle.ticket.account, expected.account),
        "router": (bundle.ticket.router, expected.router),
        "router key": (bundle.router_key, expected.router_key),
        "provider key": (bundle.provider_key, expected.provider_key),
        "model id": (bundle.ticket.model_id, expected.model_id),
        "jobs root": (root, expected.jobs_root),
    }
    checks = []
    for name, (got, want) in pairs.items():
        if want is not None:
            detail = _show(got) if got == want else f"{_show(got)}, expected {_show(want)}"
            checks.append(Check(name, got == want, detail))
    return checks


def _show(value: object) -> str:
    return to_hex(value) if isinstance(value, bytes) else str(value)
