"""Print what the protocol costs on this machine: `python -m infera.protocol.bench`."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from timeit import Timer
from typing import TYPE_CHECKING

from infera.keys import Signer
from infera.protocol.abi import checksum_address
from infera.protocol.audit import audit
from infera.protocol.batches import SettledJob, Totals, build_batch
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import request_hash
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.sampling import rank_checkers, sampled
from infera.protocol.signatures import recover
from infera.types import FinishReason, JobRequest, Message, Tier
from infera_ext import backend

if TYPE_CHECKING:
    from collections.abc import Callable


def _show(name: str, call: Callable[[], object]) -> None:
    timer = Timer(call)
    number, _ = timer.autorange()
    best = min(timer.repeat(5, max(1, number // 5))) / max(1, number // 5)
    text = f"{best * 1e6:10.1f} us" if best < 1e-3 else f"{best * 1e3:10.1f} ms"
    print(f"{name:<46}{text}")


def main() -> None:
    """Best of five runs each; single thread."""
    print(f"keccak-256: {backend()}")
    one, two = Signer.generate(), Signer.generate()
    domain = Domain(31337, one.address)
    words = [os.urandom(32) for _ in range(6)]
    request = JobRequest("chat", "model", (Message("user", "word " * 200),), seed=7)
    ticket = JobTicket(
        words[0], 1, one.address, two.address, words[1], one.address, words[2], Tier.OPTIMISTIC,
        words[3], words[4], 7, 100_000, 400_000, 0, 1000, 1000, 500, 1_700_000_000, 1_700_000_300,
    )  # fmt: skip
    digest = ticket.digest(domain)
    receipt = JobReceipt(digest, words[0], 10, 20, 9, FinishReason.STOP, words[1], 1_700_000_001)
    signature = one.sign(digest)
    body = ticket.to_json()
    _show("JobTicket digest", lambda: ticket.digest(domain))
    _show("JobReceipt digest", lambda: receipt.digest(domain))
    _show("JobTicket digest + sign", lambda: one.sign(ticket.digest(domain)))
    _show("JobTicket from JSON", lambda: JobTicket.from_json(body))
    _show("request hash (1 kB)", lambda: request_hash(request))
    _show("sign (coincurve)", lambda: one.sign(digest))
    _show("recover (coincurve)", lambda: recover(digest, signature))
    if find_spec("eth_keys"):
        keys = import_module("eth_keys.datatypes")
        plain = import_module("eth_keys.backends").NativeECCBackend()
        key = keys.PrivateKey(one.private_key)
        made = plain.ecdsa_sign(digest, key)
        _show("sign (eth-keys, pure Python)", lambda: plain.ecdsa_sign(digest, key))
        _show("recover (eth-keys, pure Python)", lambda: plain.ecdsa_recover(digest, made))
    jobs = _jobs(10_000)
    batch = build_batch(one.address, 0, jobs, Totals())
    _show("build a batch of 10,000 jobs", lambda: build_batch(one.address, 0, jobs, Totals()))
    _show("audit it", lambda: audit(batch, batch.header, Totals()))
    _show("sample 10,000 leaves", lambda: sampled(words[0], [20_000] * 10_000))
    stakes = {checksum_address(os.urandom(20)): 10**22 for _ in range(50)}
    _show("rank 50 checkers for a leaf", lambda: rank_checkers(words[0], 5, stakes))


def _jobs(count: int) -> list[SettledJob]:
    addresses = [checksum_address(os.urandom(20)) for _ in range(600)]
    grants = [os.urandom(32) for _ in range(800)]
    return [
        SettledJob(
            os.urandom(32), os.urandom(32), addresses[i % 550], grants[i % 800],
            addresses[550 + i % 50], i % 5000, Tier.OPTIMISTIC, b'{"provider":1}',
        )
        for i in range(count)
    ]  # fmt: skip


if __name__ == "__main__":
    main()
