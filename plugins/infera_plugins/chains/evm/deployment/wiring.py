"""What is wired to what once the contracts stand, who may do what, and the hand-over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infera.protocol.abi import ZERO_ADDRESS
from infera_ext import keccak256

from ..contracts import interface
from .parts import MICRO, At, Creation, Members, Read, Wire
from .terms import TIMELOCK, governor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .terms import Terms

DAY_S = 86_400
FAULTS = range(1, 15)
"""What BatchCourt convicts of (contracts/src/court/Faults.sol), as the registry is given it."""

_ALL = (10_000, 10_000, 365 * DAY_S)
_DISPUTES = ("lost dispute", "false dispute")

ADMIN = bytes(32)
PROPOSER, CANCELLER, EXECUTOR = (
    keccak256(f"{name}_ROLE".encode()) for name in ("PROPOSER", "CANCELLER", "EXECUTOR")
)
"""Roles of the timelock."""


def reason(text: str) -> bytes:
    """A slash's reason as Solidity has a short string in a bytes32."""
    return text.encode().ljust(32, b"\0")


def offences(terms: Terms) -> dict[bytes, tuple[int, int, int]]:
    """(first, ceiling) in basis points and how long it is remembered, by reason
    (docs/protocol/stake.md).

    What is proven fraud is left to who proves it: the court doubles by itself.
    """
    table = {
        bytes(32): (1_000, 5_000, 90 * DAY_S),
        reason("omission"): (100, 2_000, 30 * DAY_S),
        reason("silence"): (100, 2_000, 30 * DAY_S),
        reason("sla downtime"): (100, 1_000, 30 * DAY_S),
        reason("contradictory attestation"): _ALL,
    }
    table |= {fault.to_bytes(32, "big"): _ALL for fault in FAULTS}
    if terms.launch.disputes is not None:
        table |= {reason(text): _ALL for text in _DISPUTES}
    return table


def judges(terms: Terms) -> tuple[list[str], list[str]]:
    """(slashers, courts) by name."""
    game = ["DisputeManager"] if terms.launch.disputes is not None else []
    slashers = ["BatchCourt", "ClaimDesk", "SlaRegistry", "EvidenceQuorum", *game]
    return slashers, ["BatchCourt", *game]


def pool_wire(terms: Terms) -> Wire:
    """Makes the pool of INFR and USDC that the buyback buys on."""
    fee = terms.launch.market.pool_fee

    def pair(at: At) -> tuple[Any, ...]:
        return at("INFR"), at("USDC"), fee

    return Wire(
        "UniswapV3Factory", "createPool", pair,
        lambda at: [Read("UniswapV3Factory", "getPool", None, pair(at), present=True)],
        "UniswapV3Factory.createPool(INFR, USDC)",
    )  # fmt: skip


def wires(terms: Terms) -> list[Wire]:
    """The deployer's calls that make one network of the contracts."""
    launch = terms.launch
    slashers, courts = judges(terms)
    made = [_setter("StakeRegistry", "setSlasher", "isSlasher", name) for name in slashers]
    made.append(_names("StakeRegistry", "setJobRegistry", "jobRegistry", "JobRegistry"))
    made += [_setter("JobRegistry", "setCourt", "isCourt", name) for name in courts]
    made += [
        _setter("BatchCourt", "setExaminer", "isExaminer", "BatchExaminer"),
        _setter("Reputation", "setWriter", "isWriter", "CheckDesk"),
        _names("PaymentVault", "setClaimDesk", "claimDesk", "ClaimDesk"),
        _names("AttestationVerifier", "setQuorum", "quorum", "EvidenceQuorum"),
        _names("ModelRegistry", "setHotPool", "hotPool", "HotPool"),
        _names("StakeRegistry", "setClaimPricer", "claimPricer", "ModelRegistry"),
    ]
    if launch.price.feed or terms.development:
        age = launch.price.oldest_s
        made.append(Wire(
            "StakeRegistry", "setFeed", lambda at: (at("PriceFeed"), age),
            lambda at: [Read("StakeRegistry", "priceFeed", (at("PriceFeed"), age))],
            "StakeRegistry.setFeed",
        ))  # fmt: skip
    follows = launch.price.minimum_usdc
    for number, least in ((1, follows.provider), (2, follows.router), (3, follows.validator)):
        if least:
            made.append(_value("StakeRegistry", "setUsdcMinimum", "usdcMinimum", number,
                               least * MICRO))  # fmt: skip
    for why, rule in offences(terms).items():
        made.append(_value("StakeRegistry", "setOffence", "offenceOf", why, rule))
    if launch.disputes is not None:
        for model, verifier in launch.disputes.verifiers.items():
            made.append(_value("DisputeManager", "setVerifier", "verifierOf",
                               bytes.fromhex(model.removeprefix("0x")), verifier))  # fmt: skip
    return made


def _setter(contract: str, function: str, getter: str, name: str) -> Wire:
    return Wire(
        contract, function, lambda at: (at(name), True),
        lambda at: [Read(contract, getter, True, (at(name),))],
        f"{contract}.{function}({name})",
    )  # fmt: skip


def _names(contract: str, function: str, getter: str, name: str) -> Wire:
    return Wire(
        contract, function, lambda at: (at(name),),
        lambda at: [Read(contract, getter, at(name))],
        f"{contract}.{function}({name})",
    )  # fmt: skip


def _value(contract: str, function: str, getter: str, key: Any, value: Any) -> Wire:
    read = Read(contract, getter, value, (key,))
    return Wire(
        contract, function, lambda at: (key, value), lambda at: [read],
        read.what.replace(f".{getter}", f".{function}"),
    )  # fmt: skip


# -- hand-over


def hand_over(terms: Terms, made: Iterable[Creation]) -> list[Wire]:
    """How the deployer gives everything away; its last call is the last power it had.

    The governor takes over by accepting: a timelock through the batch scheduled here, which anybody
    executes once its delay is over.
    """
    handed = [creation.name for creation in made if creation.owner == "handed"]
    wires = [_role("grantRole", "PROPOSER", PROPOSER), _role("grantRole", "CANCELLER", CANCELLER)]
    if terms.governor != terms.deployer:
        wires += [_transfer(terms, name) for name in handed]
    if terms.governor == TIMELOCK:
        wires.append(_schedule(terms, handed))
        wires.append(_renounce(terms, "PROPOSER", PROPOSER))
        wires.append(_renounce(terms, "CANCELLER", CANCELLER))
    return [*wires, _renounce(terms, "ADMIN", ADMIN)]


def _role(function: str, name: str, role: bytes) -> Wire:
    return Wire(
        "InferaTimelock", function, lambda at: (role, at("InferaGovernor")),
        lambda at: [Read("InferaTimelock", "hasRole", True, (role, at("InferaGovernor")))],
        f"InferaTimelock.{function}({name}, InferaGovernor)",
    )  # fmt: skip


def _renounce(terms: Terms, name: str, role: bytes) -> Wire:
    arguments = (role, terms.deployer)
    return Wire(
        "InferaTimelock", "renounceRole", lambda at: arguments,
        lambda at: [Read("InferaTimelock", "hasRole", False, arguments)],
        f"InferaTimelock.renounceRole({name}, deployer)",
    )  # fmt: skip


def _transfer(terms: Terms, name: str) -> Wire:
    def reads(at: At) -> list[Read]:
        owner = governor_of(terms, at)
        return [Read(name, "owner", owner), Read(name, "pendingOwner", owner)]

    return Wire(
        name, "transferOwnership", lambda at: (governor_of(terms, at),), reads,
        f"{name}.transferOwnership(governor)", transient=True,
    )  # fmt: skip


def acceptance(terms: Terms, handed: Sequence[str], at: At) -> tuple[Any, ...]:
    """(targets, values, payloads, predecessor, salt) of the timelock's batch that accepts."""
    accept = interface("StakeRegistry").functions["acceptOwnership"].call()
    salt = keccak256(f"{terms.salt}/accept ownership".encode())
    return (
        [at(name) for name in handed], [0] * len(handed), [accept] * len(handed), bytes(32), salt
    )  # fmt: skip


def _schedule(terms: Terms, handed: Sequence[str]) -> Wire:
    def batch(at: At) -> tuple[Any, ...]:
        return (*acceptance(terms, handed, at), terms.launch.governance.timelock_delay_s)

    return Wire(
        "InferaTimelock", "scheduleBatch", batch,
        lambda at: [Read("InferaTimelock", "isOperation", True,
                         (operation(acceptance(terms, handed, at)),))],
        "InferaTimelock.scheduleBatch(acceptOwnership)",
    )  # fmt: skip


def operation(batch: tuple[Any, ...]) -> bytes:
    """A batch's id in the timelock (TimelockController.hashOperationBatch)."""
    from eth_abi.abi import encode

    types = ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"]
    return keccak256(encode(types, batch))


# -- who may do what


def members(terms: Terms) -> list[Members]:
    """Every power that more than one account could hold, and who is to hold it."""
    slashers, courts = judges(terms)

    def those(names: Sequence[str]) -> Any:
        return lambda at: [at(name) for name in names]

    def granted(role: bytes, name: str, *holders: str) -> Members:
        return Members(
            "InferaTimelock", name, those(holders), "RoleGranted", "account",
            allowed="", taken="RoleRevoked", where={"role": role},
        )  # fmt: skip

    return [
        Members("StakeRegistry", "slashers", those(slashers), "SlasherChanged", "slasher"),
        Members("JobRegistry", "courts", those(courts), "CourtChanged", "court"),
        Members("BatchCourt", "examiners", those(["BatchExaminer"]), "ExaminerChanged", "examiner"),
        Members("AttestationVerifier", "guardians", those([]), "GuardianChanged", "guardian"),
        Members("Reputation", "writers", those(["CheckDesk"]), "WriterChanged", "writer"),
        granted(PROPOSER, "proposers", "InferaGovernor"),
        granted(CANCELLER, "cancellers", "InferaGovernor"),
        granted(ADMIN, "admins", "InferaTimelock"),
        Members(
            "InferaTimelock", "executors", lambda at: [ZERO_ADDRESS], "RoleGranted", "account",
            allowed="", taken="RoleRevoked", where={"role": EXECUTOR},
        ),
    ]  # fmt: skip
