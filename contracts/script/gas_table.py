#!/usr/bin/env python3
"""Write what each transaction costs, from snapshots/*.json, into docs/protocol/gas.md.

    python3 script/gas_table.py            write the page
    python3 script/gas_table.py --check    fail if the page says something else

The tests write the snapshots. Every figure of theirs is in a table here, so a new one that has no row
is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parents[1]
PAGE = CONTRACTS.parent / "docs/protocol/gas.md"
#: Snapshots of other things than gas.
OTHERS = {"attacks", "mutation"}
#: What a transaction may take on Base (EIP-7825), and the price the dollars are of.
MOST_GAS = 1 << 24
GWEI, USD_PER_ETH = Decimal("0.01"), 3000
USD_PER_GAS = GWEI * USD_PER_ETH / 10**9
JOBS = 10_000
#: Goals of a job's share of a batch.
JOB_GAS, JOB_USD = 100, Decimal("0.00001")


@dataclass(frozen=True)
class Row:
    """One figure: what it is of, its key in the snapshot, and how many units share it."""

    label: str
    key: str
    units: int = 1
    unit: str = ""
    #: Whether it is a transaction, not a part of one or a view.
    whole: bool = True


@dataclass(frozen=True)
class Section:
    title: str
    page: str
    snapshot: str
    rows: tuple[Row, ...]


SECTIONS = (
    Section("Settlement", "jobs.md", "gas", (
        Row("`JobRegistry.commitBatch`, 1 to 10,000 jobs",
            "JobRegistry.commitBatch, any number of jobs", JOBS, "job"),
        Row("`PaymentVault.applyDebits`, 50 grants for the first time",
            "PaymentVault.applyDebits, 50 grants for the first time", 50, "grant"),
        Row("`PaymentVault.applyDebits`, 50 grants again",
            "PaymentVault.applyDebits, 50 grants again", 50, "grant"),
        Row("`PaymentVault.applyDebits`, 1 grant again", "PaymentVault.applyDebits, 1 grant again"),
        Row("`PaymentVault.claim`, a provider's first under a router, of 1,000",
            "PaymentVault.claim, first of 1000 providers"),
        Row("`PaymentVault.claim`, again", "PaymentVault.claim, again"),
        Row("`PaymentVault.deposit`, an account's first",
            "PaymentVault.deposit, an account's first"),
        Row("`PaymentVault.deposit`, again", "PaymentVault.deposit, again"),
        Row("`PaymentVault.lock`, an account's first under a router",
            "PaymentVault.lock, an account's first under a router"),
        Row("`PaymentVault.registerGrant`; a grant's first debit does it too",
            "PaymentVault.registerGrant"),
        Row("`PaymentVault.revokeGrant`", "PaymentVault.revokeGrant"),
    )),
    Section("Stake", "stake.md", "stake", (
        Row("`StakeRegistry.declare`, a first model", "StakeRegistry.declare, a first model"),
        Row("`StakeRegistry.declare`, with sixteen models",
            "StakeRegistry.declare, with sixteen models"),
        Row("`StakeRegistry.reprice`", "StakeRegistry.reprice"),
        Row("`StakeRegistry.slash`, a first offence", "StakeRegistry.slash, a first offence"),
        Row("`StakeRegistry.slash`, an offence without a rule",
            "StakeRegistry.slash, an offence without a rule"),
    )),
    Section("Promised uptime", "sla.md", "sla", (
        Row("`SlaRegistry.claim`, three validators", "SlaRegistry.claim, three validators"),
    )),
    Section("Courts and claims", "court.md", "court", (
        Row("`BatchCourt.prove`, a pair in a batch of 64 jobs",
            "BatchCourt.prove, a pair of 64 jobs"),
        Row("`BatchCourt.prove`, without what the evidence costs",
            "BatchCourt.prove, without the evidence", whole=False),
        Row("`BatchExaminer.examineCosts` over 64 jobs, on top of that",
            "BatchExaminer.examineCosts, 64 jobs", whole=False),
        Row("`BatchCourt.proveEquivocation`", "BatchCourt.proveEquivocation"),
        Row("`BatchCourt.demand`", "BatchCourt.demand"),
        Row("`BatchCourt.answer`, in a batch of 7 jobs", "BatchCourt.answer, of 7 jobs"),
        Row("`BatchCourt.expire`", "BatchCourt.expire"),
        Row("`JobRegistry.rollback`, any number of batches; part of `prove` and `expire`",
            "JobRegistry.rollback, any number of batches", whole=False),
        Row("`ClaimDesk.claimJob`", "ClaimDesk.claimJob"),
        Row("`ClaimDesk.expireOmission`", "ClaimDesk.expireOmission"),
        Row("`ClaimDesk.claimSilence`", "ClaimDesk.claimSilence"),
        Row("`ClaimDesk.showReceipt`", "ClaimDesk.showReceipt"),
    )),
    Section("Disputes", "dispute.md", "dispute", (
        Row("`DisputeManager.open`, in a batch of 3 jobs", "open"),
        Row("`DisputeManager.reveal`, 2^40 steps", "reveal 2^40 steps"),
        *(Row(f"`DisputeManager.{move}`, k = {k}", f"{move} k={k}")
          for move in ("dissect", "select") for k in (2, 4, 8, 16, 32)),
        Row("`DisputeManager.adjudicate`, 2^40 steps, the provider loses",
            "adjudicate 2^40 steps, overturned"),
        Row("`DisputeManager.adjudicate`, 6 steps, the challenger loses",
            "adjudicate 6 steps, upheld"),
        Row("`DisputeManager.timeout`, the provider loses", "timeout, overturned"),
        Row("`DisputeManager.dismiss`", "dismiss"),
        Row("`DisputeManager.strike`", "strike"),
    )),
    Section("Attestation and proofs", "attestation.md", "attestation", (
        *(Row(f"`AttestationVerifier.{what}, P-256 {how}", f"{key}, {how}")
          for what, key in (
              ("addCertificates`, an authority", "addCertificates, an authority"),
              ("addCertificates`, a platform", "addCertificates, a platform"),
              ("enrol`, a key's first time", "enrol, a key's first time"),
              ("enrol`, again", "enrol, again"),
          ) for how in ("by precompile", "in Solidity")),
        Row("`AttestationVerifier.verifyJob`, were it a transaction", "verifyJob", whole=False),
        Row("`AttestationVerifier.revokeRoot`, any number of keys",
            "revokeRoot, any number of keys"),
        Row("`EvidenceQuorum.vote`, three votes that enrol", "vote, three votes that enrol"),
        Row("`ZkVerifier.prove`, Groth16 with seven inputs",
            "ZkVerifier.prove, Groth16 with 7 inputs"),
    )),
    Section("Reputation", "reputation.md", "reputation", (
        Row("`CheckDesk.report`, a hundred findings", "CheckDesk.report, a hundred findings",
            100, "finding"),
    )),
    Section("Models and seats", "hot-pool.md", "models", (
        Row("`HotPool.bid`, displacing one of 64", "HotPool.bid, displacing one of 64"),
        Row("`HotPool.heartbeat`, one seat", "HotPool.heartbeat, one seat"),
        Row("`HotPool.submitHeartbeats`, 64 seats", "HotPool.submitHeartbeats, 64 seats",
            64, "seat"),
        Row("`HotPool.signalDemand`, one signal", "HotPool.signalDemand, one signal"),
        Row("`HotPool.claim`, one seat", "HotPool.claim, one seat"),
    )),
    Section("Governance", "governance.md", "governance", (
        Row("`VeINFR.lock`", "VeINFR.lock"),
        Row("`VeINFR.lock` after four years of silence with a lock ending every week",
            "VeINFR.lock, after four years of silence"),
        Row("`VeINFR.increaseAmount`", "VeINFR.increaseAmount"),
        Row("`VeINFR.extend`", "VeINFR.extend"),
        Row("`VeINFR.delegate`", "VeINFR.delegate"),
        Row("`VeINFR.withdraw`", "VeINFR.withdraw"),
        Row("`VeINFR.getPastVotes`, 206 ends to walk", "VeINFR.getPastVotes, 206 ends to walk",
            whole=False),
        Row("`InferaGovernor.propose`, one call", "InferaGovernor.propose, one call"),
        Row("`InferaGovernor.castVote` until the quorum is reached",
            "InferaGovernor.castVote, reaching the quorum"),
        Row("`InferaGovernor.castVote` after", "InferaGovernor.castVote, after the quorum"),
        Row("`InferaGovernor.queue`", "InferaGovernor.queue"),
        Row("`InferaGovernor.execute`, `PaymentVault.setFees`",
            "InferaGovernor.execute, PaymentVault.setFees"),
    )),
    Section("Buyback", "buyback.md", "buyback", (
        Row("`Buyback.buy`, the first tranche of a round",
            "Buyback.buy, the first tranche of a round"),
        Row("`Buyback.buy`, a later tranche", "Buyback.buy, a later tranche"),
    )),
    Section("Requests of contracts", "adapter.md", "adapter", (
        Row("`InferaAdapter.request`, 37 bytes of payload",
            "InferaAdapter.request, 37 bytes of payload"),
        Row("`InferaAdapter.fulfil`, 1 KiB delivered, without what the callback does",
            "InferaAdapter.fulfil, 1 KiB delivered"),
        Row("`InferaAdapter.fulfil`, 1 KiB stored", "InferaAdapter.fulfil, 1 KiB stored"),
        Row("`InferaAdapter.fulfil`, 16 KiB stored", "InferaAdapter.fulfil, 16 KiB stored"),
        Row("of which hashing 16 KiB of letters", "Answers.responseHash, 16 KiB of letters",
            whole=False),
        Row("hashing 16 KiB of line ends", "Answers.responseHash, 16 KiB of line ends",
            whole=False),
    )),
)  # fmt: skip

HEAD = """# Gas

What the sender of each transaction pays in all, intrinsic gas and calldata included. `python3 contracts/script/gas_table.py` writes this page from
`contracts/snapshots`, which the contracts' tests write (`bin/forge test` in `contracts`; with `FORGE_SNAPSHOT_CHECK=true` it fails when a figure moved).
Dollars are at {gwei} gwei and {eth:,} USD per ETH, without what an L2 charges for its data. *Italic* figures are parts of a transaction, or views.

## Goals
"""


def read() -> dict[str, dict[str, int]]:
    """Gas by snapshot and key. Exits if a figure has no row, or a row no figure."""
    found = {
        path.stem: {key: int(gas) for key, gas in json.loads(path.read_text("utf-8")).items()}
        for path in sorted(CONTRACTS.glob("snapshots/*.json"))
        if path.stem not in OTHERS
    }
    measured = {(name, key) for name, snapshot in found.items() for key in snapshot}
    shown = {(section.snapshot, row.key) for section in SECTIONS for row in section.rows}
    if measured != shown:
        sys.exit(f"rows and snapshots differ in {sorted(measured ^ shown)}")
    return found


def usd(gas: Decimal) -> str:
    """Two significant digits, in plain notation."""
    value = gas * USD_PER_GAS
    digits = max(2, 1 - value.adjusted())
    return f"{value:.{digits}f}"


def table(section: Section, gas: dict[str, int]) -> list[str]:
    lines = [
        f"\n## {section.title}\n",
        f"[{section.page.removesuffix('.md')}]({section.page})\n",
        "| transaction | gas | USD | per unit |",
        "|---|---|---|---|",
    ]
    for row in section.rows:
        figure = gas[row.key]
        each = f"{figure / row.units:,.0f} gas per {row.unit}" if row.unit else ""
        shown = f"{figure:,}" if row.whole else f"*{figure:,}*"
        lines.append(
            f"| {row.label} | {shown} | {usd(Decimal(figure))} | {each} |".replace("|  |", "| |")
        )
    return lines


def rounds(gas: dict[str, int]) -> list[str]:
    """Whole disputes, from the first move to the last, by how many nodes a move shows."""
    ends = gas["open"] + gas["reveal 2^40 steps"] + gas["adjudicate 2^40 steps, overturned"]
    lines = [
        "\nA whole dispute is `open`, `reveal`, ⌈log2(steps) / log2(k)⌉ rounds of `dissect` and `select`, and `adjudicate`, to which the step",
        "verifier adds what it costs. `open`, `reveal` and `adjudicate` are counted as over 2^40 steps in each column:\n",
        "| k | rounds for 2^20, 2^30, 2^40 steps | gas for 2^20 | 2^30 | 2^40 | USD for 2^40 |",
        "|---|---|---|---|---|---|",
    ]
    for depth, k in enumerate((2, 4, 8, 16, 32), start=1):
        each = gas[f"dissect k={k}"] + gas[f"select k={k}"]
        numbers = [-(-height // depth) for height in (20, 30, 40)]
        totals = [ends + number * each for number in numbers]
        lines.append(
            f"| {k} | {', '.join(map(str, numbers))} | "
            + " | ".join(f"{total:,}" for total in totals)
            + f" | {usd(Decimal(totals[-1]))} |"
        )
    return lines


def goals(found: dict[str, dict[str, int]]) -> list[str]:
    commit = Decimal(found["gas"]["JobRegistry.commitBatch, any number of jobs"])
    most, largest = max(
        (found[section.snapshot][row.key], row.label)
        for section in SECTIONS for row in section.rows if row.whole
    )  # fmt: skip
    checks = (
        (f"less than {JOB_GAS} gas a job, at {JOBS:,} jobs a batch",
         f"{commit / JOBS:.1f} gas", commit / JOBS < JOB_GAS),
        (f"at most {JOB_USD} USD a job", f"{usd(commit / JOBS)} USD",
         commit / JOBS * USD_PER_GAS <= JOB_USD),
        (f"every transaction below under the {MOST_GAS:,} gas it may take on Base",
         f"{most:,} gas at most: {largest}", most < MOST_GAS),
    )  # fmt: skip
    adapter = found["adapter"]
    dearest = (
        adapter["InferaAdapter.fulfil, 16 KiB stored"]
        - adapter["Answers.responseHash, 16 KiB of letters"]
        + adapter["Answers.responseHash, 16 KiB of line ends"]
    )
    lines = ["| goal | figure | |", "|---|---|---|"]
    lines += [
        f"| {goal} | {figure} | {'met' if met else 'MISSED'} |" for goal, figure, met in checks
    ]
    lines += [
        "\nA job's share is of `commitBatch` alone. Debits and claims are cumulative, a leaf for each grant and each provider: a router and a provider",
        "send them when they are worth it, not once per batch, and however many jobs they cover they cost the same.",
        f"\nReckoned, not measured: `InferaAdapter.fulfil` of 16 KiB of line ends, the dearest text to hash, stored, takes {dearest:,} gas. A callback of more",
        f"than {MOST_GAS - dearest:,} gas, of which requests may ask for 5,000,000, does not fit on top of that; most texts cost a small part of it.",
    ]
    return lines


def page() -> str:
    found = read()
    lines = [HEAD.format(gwei=GWEI, eth=USD_PER_ETH), *goals(found)]
    for section in SECTIONS:
        lines += table(section, found[section.snapshot])
        if section.snapshot == "dispute":
            lines += rounds(found["dispute"])
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="fail if the page differs")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is not what the snapshots say: run python3 contracts/script/gas_table.py")


if __name__ == "__main__":
    main()
