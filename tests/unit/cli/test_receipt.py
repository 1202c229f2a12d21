"""receipt: shown, verified offline, and verified against a chain that may lie."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from infera.keys import Signer
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import response_hash
from infera.protocol.leaves import JobLeaf
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.receipts import Bundle, LeafProof
from infera.types import FinishReason, Tier
from infera_ext import keccak256

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "0x000000000000000000000000000000000000dEaD"
TEXT = "Bees hum."


@pytest.fixture
def bundle() -> Bundle:
    """An honest bundle; its job is alone in its batch."""
    router, provider = Signer(b"\1" * 32), Signer(b"\2" * 32)
    domain = Domain(31337, NOBODY)
    ticket = JobTicket(
        job_id=b"\3" * 32,
        sequence=1,
        router=router.address,
        account=NOBODY,
        grant=b"\4" * 32,
        provider=provider.address,
        model_id=b"\5" * 32,
        tier=Tier.OPTIMISTIC,
        request_hash=b"\6" * 32,
        sampling_hash=b"\7" * 32,
        seed=7,
        price_in=1_000_000,
        price_out=1_000_000,
        premium_bps=0,
        max_tokens_in=10,
        max_tokens_out=10,
        max_cost=20,
        issued_at=1_000,
        deadline=1_100,
    )
    digest = ticket.digest(domain)
    receipt = JobReceipt(
        ticket=digest,
        response_hash=response_hash(TEXT, FinishReason.STOP),
        tokens_in=3,
        tokens_out=4,
        cost=7,
        finish_reason=FinishReason.STOP,
        evidence=b"\x08" * 32,
        completed_at=1_010,
    )
    fields = JobLeaf(
        ticket=digest,
        receipt=receipt.digest(domain),
        account=NOBODY,
        grant=ticket.grant,
        provider=provider.address,
        cost=7,
        tier=Tier.OPTIMISTIC,
        grant_total=7,
        provider_total=7,
    )
    root = keccak256(b"\0" + fields.encode())
    return Bundle(
        domain,
        ticket,
        router.sign(digest),
        receipt,
        provider.sign(receipt.digest(domain)),
        router.address,
        provider.address,
        "bee-1",
        LeafProof(0, 0, 1, (), root, fields),
    )


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> str:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(bundle.to_json()))
    return str(path)


def test_honest_receipt_holds(infera: Any, saved: str, tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text(TEXT)
    done = infera("receipt", "verify", saved, "--response", str(tmp_path / "answer.txt"))
    assert done.code == 0, done.out
    assert "!!" not in done.out
    assert "checks hold" in done.out


def test_other_text_does_not_hold(infera: Any, saved: str, tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("Wasps hum.")
    done = infera("receipt", "verify", saved, "--response", str(tmp_path / "answer.txt"))
    assert done.code == 1
    assert "!!  response" in done.out
    assert "[receipt_invalid]" in done.err


def test_answer_from_standard_input_will_do(
    infera: Any, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"choices": [], "infera": bundle.to_json()})
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert infera("receipt", "verify", "-").code == 0


def test_show_prints_one_field_a_line(infera: Any, saved: str) -> None:
    out = infera("receipt", "show", saved).out
    assert any(line.split() == ["receipt.tokensOut", "4"] for line in out.splitlines())


@pytest.mark.parametrize(
    ("text", "code"), [("no json", "receipt_malformed"), ("[]", "receipt_malformed")]
)
def test_what_is_no_receipt(infera: Any, tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "x").write_text(text)
    assert f"[{code}]" in infera("receipt", "verify", str(tmp_path / "x")).err


def test_file_that_is_not_there(infera: Any) -> None:
    assert "[file_unreadable]" in infera("receipt", "show", "/no/such/file").err


# -- on a chain

YES, NO = "0x" + "0" * 63 + "1", "0x" + "0" * 64
SELECTORS = {
    "0x" + keccak256(signature.encode())[:4].hex(): name
    for name, signature in {
        "stakes": "stakeRegistry()",
        "signer": "isSigner(address,address,uint64)",
        "leaf": (
            "verifyLeaf(address,uint64,(bytes32,bytes32,address,bytes32,address,uint64,uint8,uint128,"
            "uint128),uint32,bytes32[])"
        ),
    }.items()
}


def chain(serve: Any, *, leaf: str = YES, signer: str = YES, chain_id: int = 31337) -> str:
    """An RPC that answers the three calls."""
    answers = {"stakes": "0x" + "0" * 24 + NOBODY[2:].lower(), "leaf": leaf, "signer": signer}

    def rpc(body: Any) -> Any:
        if body["method"] == "eth_chainId":
            return {"result": hex(chain_id)}
        name = SELECTORS[body["params"][0]["data"][:10]]
        return {"result": answers[name]}

    url: str = serve({"/": rpc}).url
    return f"{url}/"


def test_receipt_on_the_chain_holds(infera: Any, saved: str, serve: Any) -> None:
    done = infera("receipt", "verify", saved, "--rpc", chain(serve), "--contract", NOBODY)
    assert done.code == 0, done.out
    assert "ok  batch                leaf 0 of batch 0 is on the chain" in done.out


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        ({"leaf": NO}, "!!  batch"),
        ({"signer": NO}, "!!  provider key"),
        ({"chain_id": 1}, "!!  chain id"),
    ],
)
def test_receipt_the_chain_does_not_know(
    infera: Any, saved: str, serve: Any, lie: Any, check: str
) -> None:
    done = infera("receipt", "verify", saved, "--rpc", chain(serve, **lie))
    assert done.code == 1
    assert check in done.out


def test_another_contract_is_not_the_bundles(infera: Any, saved: str, serve: Any) -> None:
    other = Signer(b"\x09" * 32).address
    done = infera("receipt", "verify", saved, "--rpc", chain(serve), "--contract", other)
    assert "!!  contract" in done.out


def test_rpc_error_is_passed_on(infera: Any, saved: str, serve: Any) -> None:
    server = serve({"/": {"error": {"code": -32000, "message": "no such block"}}})
    done = infera("receipt", "verify", saved, "--rpc", f"{server.url}/")
    assert "no such block" in done.err
    assert "[chain_failed]" in done.err
