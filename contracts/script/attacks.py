#!/usr/bin/env python3
"""Take the defences of the contracts away, one at a time, and see the tests of the attacks fail.

    python3 script/attacks.py            try every defence
    python3 script/attacks.py replay     only attacks whose names this (a regular expression) is in
    python3 script/attacks.py --write    try, then write the table into docs/security.md

Each attack has a test contract. Its tests pass on the sources as they are; for each defence, the edits
below take it out of a private copy, and at least one of the tests has to fail there. What was seen last
of each is kept in snapshots/attacks.json, from which the table is made.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from build import CONTRACTS, closure
from workspace import NEEDS_OPTIMIZER, Workspace

RESULTS = CONTRACTS / "snapshots/attacks.json"
DOCS = CONTRACTS.parent / "docs/security.md"
BEGIN, END = "<!-- attacks: written by contracts/script/attacks.py -->", "<!-- /attacks -->"


@dataclass(frozen=True)
class Edit:
    """Every `old` in `file` becomes `new`."""

    file: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Defence:
    what: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Attack:
    name: str
    test: str
    contract: str
    defences: tuple[Defence, ...]


def defence(what: str, *edits: tuple[str, ...]) -> Defence:
    return Defence(what, tuple(Edit(*edit) for edit in edits))


VAULT, BOOKS, STAKES = "src/PaymentVault.sol", "src/PaymentVaultBooks.sol", "src/StakeRegistry.sol"
GRANTS, HOLD, JOBS = "src/libraries/Grants.sol", "src/libraries/Hold.sol", "src/JobRegistry.sol"
EVIDENCE, COURT = "src/court/Evidence.sol", "src/court/BatchCourt.sol"
QUORUM, SLA = "src/attestation/EvidenceQuorum.sol", "src/stake/SlaRegistry.sol"
UNCHAINED = 'keccak256(abi.encode("INFERA", address(this)))'

ATTACKS = (
    Attack(
        "Inflating router",
        "test/attacks/InflatingRouter.t.sol",
        "InflatingRouter_Attack_Test",
        (
            defence(
                "a job's cost is what ticket and receipt come to",
                (EVIDENCE, "receipt.cost == due && leaf.cost == due", "receipt.cost == due"),
            ),
            defence(
                "a grant's total cap",
                (GRANTS, "if (allowed > grant.totalCap) allowed = grant.totalCap;"),
            ),
        ),
    ),
    Attack(
        "Replayed ticket",
        "test/court/BatchExaminer.t.sol",
        "BatchExaminer_ExaminePair_Test",
        (
            defence(
                "one ticket is one job",
                (EVIDENCE, "if (earlier.ticket == later.ticket) return Fault.Duplicate;"),
            ),
        ),
    ),
    Attack(
        "Two tickets, one sequence number",
        "test/court/BatchCourt.t.sol",
        "BatchCourt_ProveEquivocation_Test",
        (
            defence(
                "both signatures together cost half of the stake",
                (COURT, "_slash(router, type(uint64).max, Fault.Equivocation, first.account, msg.sender);"),
            ),
            defence(
                "one sequence number is paid for once",
                (COURT, "$.equivocated[router][first.sequence] = true;"),
            ),
        ),
    ),
    Attack(
        "Stale price feed",
        "test/stake/StakeRegistry.price.t.sol",
        "StakeRegistry_Reprice_Test",
        (
            defence(
                "an answer has a greatest age",
                (
                    "src/stake/StakePrice.sol",
                    "if (block.timestamp - updatedAt > price.oldest) "
                    "revert IStakePricer.StakePricer_Stale(updatedAt, price.oldest);",
                ),
            ),
            defence(
                "the rate moves by a factor of two at most",
                (
                    "src/stake/StakePrice.sol",
                    "Math.max(Math.min(target, rate * STEP), rate / STEP)",
                    "target + 0 * rate",
                ),
            ),
        ),
    ),
    Attack(
        "Flash-loaned votes",
        "test/governance/InferaGovernor.attacks.t.sol",
        "InferaGovernor_FlashLoan_Test",
        (
            defence(
                "votes are those of the snapshot",
                (
                    "src/governance/GovernorVotes.sol",
                    "_votesStorage().token.getPastVotes(account, timepoint)",
                    "_votesStorage().token.getVotes(account) + 0 * timepoint",
                ),
            ),
            defence(
                "locked INFR stays locked",
                (
                    "src/governance/VeINFR.sol",
                    "if (block.timestamp < held.end) revert VeINFR_NotEnded(msg.sender, held.end);",
                ),
            ),
        ),
    ),
    Attack(
        "Vote during lock expiry",
        "test/governance/InferaGovernor.attacks.t.sol",
        "InferaGovernor_EndingLock_Test",
        (
            defence(
                "power decays to nothing at the end of the lock",
                (
                    "src/governance/VeINFR.sol",
                    "return _curves[account].valueAt(timepoint);",
                    "return _curves[account].valueAt(timepoint - 7 days);",
                ),
            ),
        ),
    ),
    Attack(
        "Re-entrant USDC callback",
        "test/attacks/ReentrantToken.t.sol",
        "ReentrantToken_Attack_Test",
        (
            defence(
                "`withdraw` cannot be entered again",
                (
                    VAULT,
                    "function withdraw(uint256 amount) external nonReentrant {",
                    "function withdraw(uint256 amount) external {",
                ),
            ),
            defence(
                "`withdrawBond` cannot be entered again, and pays after it has booked",
                (
                    VAULT,
                    "function withdrawBond() external nonReentrant returns (uint256 amount) {",
                    "function withdrawBond() external returns (uint256 amount) {\n"
                    "        _storage().usdc.safeTransfer(msg.sender, 0);",
                ),
            ),
            defence(
                "claims cannot be entered again",
                (
                    VAULT,
                    "bytes32[] calldata proof)\n        external\n        nonReentrant\n        returns (uint256 paid)",
                    "bytes32[] calldata proof)\n        external\n        returns (uint256 paid)",
                ),
            ),
        ),
    ),
    Attack(
        "Griefing with dust accounts",
        "test/attacks/DustAccounts.t.sol",
        "DustAccounts_Attack_Test",
        (
            defence(
                "what cannot be debited stays owed",
                (VAULT, "if (amount < wanted) {\n", "if (amount < wanted) {\n            revert();\n"),
            ),
            defence(
                "only the owner's own calls start a thaw",
                (
                    HOLD,
                    "hold.active = uint96(active);\n",
                    "hold.active = uint96(active);\n        hold.thawedAt = uint64(block.timestamp) + 1 hours;\n",
                ),
            ),
            defence(
                "a place in the list costs the minimum stake",
                (
                    STAKES,
                    "if (hold.active < minimum) revert StakeRegistry_BelowMinimum(hold.active, minimum);",
                ),
            ),
        ),
    ),
    Attack(
        "Withholding leaves",
        "test/court/BatchCourt.demands.t.sol",
        "BatchCourt_Expire_Test",
        (
            defence(
                "silence is a fault",
                (COURT, "_judge(router, batch, epoch, Fault.Unrevealed, address(0), challenger);"),
            ),
        ),
    ),
    Attack(
        "Thaw race against a pending debit",
        "test/attacks/ThawRace.t.sol",
        "ThawRace_Attack_Test",
        (
            defence(
                "what thaws still answers",
                (
                    HOLD,
                    "taken = amount < thawing + active ? amount : thawing + active;",
                    "taken = amount < active ? amount : active;",
                ),
            ),
            defence(
                "thawing takes longer than a batch can be open",
                (VAULT, "bound < SHORTEST_THAW ? SHORTEST_THAW : bound + 1", "SHORTEST_THAW + 0 * bound"),
            ),
        ),
    ),
    Attack(
        "Self-dispute to farm bounties",
        "test/attacks/SelfDispute.t.sol",
        "SelfDispute_Attack_Test",
        (
            defence(
                "a fifth of every slash is burned",
                (STAKES, "HARMED_BPS = 4_000;", "HARMED_BPS = 6_000;"),
            ),
        ),
    ),
    Attack(
        "Self-dispute to farm bounties, by promised uptime",
        "test/stake/SlaRegistry.t.sol",
        "SlaRegistry_Attack_Test",
        (
            defence(
                "three fifths are burned where nobody was harmed",
                (STAKES, "harmed == address(0) ? 0 :", "harmed == challenger ? 0 :"),
                (STAKES, "if (toHarmed != 0) $.infr.safeTransfer(harmed, toHarmed);", "if (toHarmed != 0) $.infr.safeTransfer(challenger, toHarmed);"),
            ),
            defence(
                "one outage costs once",
                (SLA, "$.earliest[provider] = end + $.rule.coolDown;", "$.earliest[provider] = end;"),
            ),
        ),
    ),
    Attack(
        "Validator cartel below quorum",
        "test/attestation/EvidenceQuorum.t.sol",
        "EvidenceQuorum_Vote_Test",
        (
            defence("enough stake", (QUORUM, "tally.stake >= rule_.stake && ")),
            defence("enough validators", (QUORUM, " && tally.validators >= rule_.validators")),
            defence(
                "each counts once",
                (QUORUM, "if (word.voted) revert EvidenceQuorum_AlreadyVoted(evidence, validator);"),
            ),
        ),
    ),
    Attack(
        "Validator cartel below quorum, over promised uptime",
        "test/stake/SlaRegistry.t.sol",
        "SlaRegistry_Claim_Test",
        (
            defence("enough validators", (SLA, "reports.length < rule_.validators || ")),
            defence("enough stake", (SLA, " || stake < rule_.quorumStake")),
        ),
    ),
    Attack(
        "Governance proposing to seize deposits",
        "test/governance/InferaGovernor.limits.t.sol",
        "InferaGovernor_Custody_Test",
        (
            defence(
                "the owner has no function that moves deposits",
                (
                    VAULT,
                    "    // Internals: developers\n",
                    "    function sweep(address token, address to) external onlyOwner {\n"
                    "        IERC20(token).safeTransfer(to, 1);\n    }\n",
                ),
            ),
            defence(
                "debits need the account's signature",
                (GRANTS, "if (!_isSigned(grant.account, digest, signature)) {", "if (false) {"),
            ),
        ),
    ),
    Attack(
        "Upgrade with clashing storage",
        "test/attacks/ClashingStorage.t.sol",
        "ClashingStorage_Attack_Test",
        (
            defence(
                "the vault's fields stay where they are",
                (BOOKS, "        uint64 thawPeriod;\n        uint64 expirySlack;\n", "        uint64 expirySlack;\n        uint64 thawPeriod;\n"),
            ),
            defence(
                "the job registry's, too",
                (JOBS, "        uint32 grants;\n        uint32 providers;\n", "        uint32 providers;\n        uint32 grants;\n"),
            ),
        ),
    ),
    Attack(
        "Upgrade with clashing storage, of the stake registry",
        "test/stake/StakeRegistry.upgrade.t.sol",
        "StakeRegistry_Upgrade_Test",
        (
            defence(
                "new fields come last",
                (STAKES, "        IERC20 infr;\n", "        uint256 first;\n        IERC20 infr;\n"),
            ),
        ),
    ),
    Attack(
        "Proxy left uninitialised",
        "test/attacks/UninitialisedProxy.t.sol",
        "UninitialisedProxy_Attack_Test",
        (
            defence("implementations are sealed", ("src/Governed.sol", "_disableInitializers();")),
            defence(
                "a contract is initialised once",
                (VAULT, ") external initializer {", ") external reinitializer(_getInitializedVersion() + 1) {"),
            ),
        ),
    ),
    Attack(
        "Signature malleability",
        "test/attacks/SignatureMalleability.t.sol",
        "SignatureMalleability_Attack_Test",
        (
            defence(
                "one form of each signature (grants)",
                (
                    GRANTS,
                    "(address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);\n"
                    "        if (err == ECDSA.RecoverError.NoError && signer == account) return true;",
                    "if (ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64])) "
                    "== account) return true;",
                ),
            ),
            defence(
                "one form of each signature (tickets and receipts)",
                (
                    JOBS,
                    "(address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);\n"
                    "        return err == ECDSA.RecoverError.NoError && ",
                    "address signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), "
                    "bytes32(signature[32:64]));\n        return ",
                ),
            ),
        ),
    ),
    Attack(
        "Wrong-chain replay",
        "test/attacks/WrongChain.t.sol",
        "WrongChain_Attack_Test",
        (
            defence(
                "the domain names the chain",
                (JOBS, "_hashTypedDataV4(", f"MessageHashUtils.toTypedDataHash({UNCHAINED}, "),
                (JOBS, "return _domainSeparatorV4();", f"return {UNCHAINED};"),
                (
                    JOBS,
                    'import { Governed } from "./Governed.sol";',
                    'import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";\n'
                    'import { Governed } from "./Governed.sol";',
                ),
            ),
            defence(
                "the domain names the registry",
                (JOBS, "_hashTypedDataV4(", "MessageHashUtils.toTypedDataHash(keccak256(abi.encode(block.chainid)), "),
                (JOBS, "return _domainSeparatorV4();", "return keccak256(abi.encode(block.chainid));"),
                (
                    JOBS,
                    'import { Governed } from "./Governed.sol";',
                    'import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";\n'
                    'import { Governed } from "./Governed.sol";',
                ),
            ),
        ),
    ),
)


def without(defence_: Defence) -> dict[str, str]:
    """The sources that change when a defence is taken away."""
    changed: dict[str, str] = {}
    for edit in defence_.edits:
        text = changed.get(edit.file) or (CONTRACTS / edit.file).read_text(encoding="utf-8")
        if edit.old not in text:
            raise LookupError(f"{edit.file} no longer has: {edit.old}")
        changed[edit.file] = text.replace(edit.old, edit.new)
    return changed


def counts(output: str, contract: str) -> Counter[str]:
    """How many tests of a contract passed and failed, as forge prints them."""
    part = re.search(rf"^Ran \d+ tests? for \S+:{contract}\n(.*?)^Suite result", output, re.M | re.S)
    return Counter(re.findall(r"^\[(PASS|FAIL)", part[1], re.M)) if part else Counter()


def attempt(workspace: Workspace, attack: Attack, defence_: Defence) -> str:
    changed = without(defence_)
    try:
        for file, text in changed.items():
            workspace.write(file, text.encode())
        verdict, output = workspace.run()
    finally:
        for file in changed:
            workspace.restore(file)
    if verdict == "broken":
        return f"DOES NOT COMPILE\n{output[-1500:]}"
    seen = counts(output, attack.contract)
    if not seen["FAIL"]:
        return "NOT NOTICED"
    return f"{seen['FAIL']} of {seen.total()} fail"


def groups(attacks: list[Attack]) -> list[list[Attack]]:
    """Attacks to be tried in one workspace: whose sources need the optimizer, and the others."""
    slow = [a for a in attacks if any(name.endswith(NEEDS_OPTIMIZER) for name in closure(a.test))]
    return [group for group in ([a for a in attacks if a not in slow], slow) if group]


def run(folder: Path, attacks: list[Attack]) -> list[tuple[Attack, Defence, str]]:
    results: list[tuple[Attack, Defence, str]] = []
    with Workspace(folder, sorted({attack.test for attack in attacks})) as workspace:
        verdict, output = workspace.run()
        if verdict != "passed":
            sys.exit(f"the tests fail with all defences in place:\n{output[-3000:]}")
        for attack in attacks:
            if not counts(output, attack.contract)["PASS"]:
                sys.exit(f"{attack.contract} has no test that passes")
            for defence_ in attack.defences:
                result = attempt(workspace, attack, defence_)
                results.append((attack, defence_, result))
                print(f'{attack.name}: without "{defence_.what}": {result}', flush=True)
    return results


def remembered() -> dict[str, dict[str, str]]:
    """Of each attack and defence what was seen last."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def remember(results: list[tuple[Attack, Defence, str]]) -> None:
    seen = remembered()
    for attack, defence_, result in results:
        seen.setdefault(attack.name, {})[defence_.what] = result
    # No more than there is, in the order of the list above.
    kept = {
        attack.name: {
            defence_.what: seen[attack.name][defence_.what]
            for defence_ in attack.defences
            if defence_.what in seen.get(attack.name, {})
        }
        for attack in ATTACKS
    }
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def table() -> str:
    seen = remembered()
    lines = ["| attack | test contract | defence | tests without it |", "|---|---|---|---|"]
    for attack in ATTACKS:
        for defence_ in attack.defences:
            result = seen.get(attack.name, {}).get(defence_.what, "not tried")
            lines.append(f"| {attack.name} | `{attack.contract}` | {defence_.what} | {result} |")
    return "\n".join(lines)


def write_docs(text: str) -> None:
    page = DOCS.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        sys.exit(f"{DOCS} lacks {BEGIN} ... {END}")
    DOCS.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("word", nargs="?", default="", help="only attacks whose names this is in")
    parser.add_argument("--write", action="store_true", help="write the table into docs/security.md")
    options = parser.parse_args()
    attacks = [attack for attack in ATTACKS if re.search(options.word, attack.name, re.I)]
    if not attacks:
        parser.error("no such attack")

    begun = time.monotonic()
    results: list[tuple[Attack, Defence, str]] = []
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        for number, group in enumerate(groups(attacks)):
            results += run(Path(folder) / str(number), group)
    remember(results)
    print(f"\n{table()}\n\n{time.monotonic() - begun:.0f} seconds")
    bad = [result for _, _, result in results if not result.endswith("fail")]
    if bad:
        sys.exit(f"{len(bad)} defences can be taken away unnoticed")
    if options.write:
        write_docs(table())


if __name__ == "__main__":
    main()
