"""The contracts of a network in the order they are created in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..contracts import interface
from .parts import MICRO, WEI, At, Creation, Read
from .terms import TIMELOCK, governor_of
from .wiring import wires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infera.types import Address

    from .terms import Terms

DEAD: Address = "0x000000000000000000000000000000000000dEaD"
"""The market of development chains, which have none: liquidity stays where it is."""

YEAR_S = 31_557_600
FEES_BPS = (150, 150)
EXPIRY_SLACK_S = 3_600
"""What PaymentVault starts with (contracts/README.md)."""

WALLETS = {
    "TeamVesting": 1, "InvestorVesting": 2, "TreasuryVesting": 3, "EcosystemVesting": 4,
    "LockedLiquidity": 5, "INFR": 6,
}  # fmt: skip
"""What `Distribution` creates, in this order."""

PARAMETER_CALLS = (
    ("StakeRegistry", "setMinimumStake"),
    ("StakeRegistry", "setUnbondingPeriod"),
    ("JobRegistry", "setChallengeWindow"),
    ("PaymentVault", "setThawPeriod"),
    ("PaymentVault", "setExpirySlack"),
    ("PaymentVault", "setFees"),
)
"""What the governor starts with as parameters (docs/protocol/governance.md)."""


def creations(terms: Terms) -> list[Creation]:
    """Everything that is created. Each comes after what its constructor calls."""
    return [
        *_tokens(terms),
        *_governance(terms),
        *_settlement(terms),
        *_judges(terms),
        *_evidence(terms),
        *_services(terms),
    ]


def treasury_of(terms: Terms, at: At) -> Address:
    """Who gets the treasury's fees."""
    return terms.launch.treasury or governor_of(terms, at)


def recipients_of(terms: Terms, at: At) -> tuple[Address, Address, Address]:
    """(treasury, validators, buyback): who gets the thirds of the protocol's fee."""
    treasury = treasury_of(terms, at)
    buyback = at("Buyback") if terms.launch.market.pool_factory else treasury
    return treasury, terms.launch.validators or treasury, buyback


def _proxied(
    terms: Terms,
    name: str,
    arguments: Callable[[At], Mapping[str, Any]],
    reads: Callable[[At, Callable[..., Read]], Sequence[Read]],
) -> Creation:
    """An upgradeable contract. The deployer owns it first if it has calls to make on it."""
    handed = any(wire.contract == name for wire in wires(terms))

    def given(at: At) -> dict[str, Any]:
        owner = terms.deployer if handed else governor_of(terms, at)
        return {"governor": owner, **arguments(at)}

    def read(function: str, wanted: Any, *args: Any) -> Read:
        return Read(name, function, wanted, args)

    owner = "handed" if handed else "governor"
    return Creation(name, given, proxied=True, reads=lambda at: tuple(reads(at, read)), owner=owner)


def _tokens(terms: Terms) -> list[Creation]:
    split, market = terms.launch.distribution, terms.launch.market

    def plan(at: At) -> dict[str, Any]:
        timelock = at("InferaTimelock")
        return {"plan": (
            timelock, split.team, split.investors, split.public_launch, split.foundation,
            at("JobRegistry"), split.reporter or timelock, at("USDC"),
            market.pair_factory or DEAD, terms.start, split.ecosystem_years * YEAR_S,
            split.ecosystem_target_usdc * MICRO,
        )}  # fmt: skip

    def reads(at: At) -> list[Read]:
        timelock = at("InferaTimelock")
        return [
            Read("Distribution", "infr", at("INFR")),
            Read("TeamVesting", "owner", split.team),
            Read("InvestorVesting", "owner", split.investors),
            Read("TreasuryVesting", "owner", timelock),
            Read("EcosystemVesting", "owner", timelock),
            Read("EcosystemVesting", "jobRegistry", at("JobRegistry")),
            Read("EcosystemVesting", "reporter", split.reporter or timelock),
            Read("EcosystemVesting", "target", split.ecosystem_target_usdc * MICRO),
            Read("LockedLiquidity", "owner", timelock),
            Read("LockedLiquidity", "quote", at("USDC")),
            Read("LockedLiquidity", "factory", market.pair_factory or DEAD),
        ]

    made = [Creation("Distribution", plan, pinned=True, makes=WALLETS, reads=reads)]
    toy = {"owner": "deployer"}
    if terms.usdc is None:
        made.append(Creation("USDC", lambda at: {"owner": terms.deployer}, **toy))  # type: ignore[arg-type]
    if terms.development and terms.launch.price.feed is None:
        usd = terms.launch.price.development_usd * 10**8
        feed = {"owner": terms.deployer, "decimals_": 8, "answer": usd}
        made.append(Creation("PriceFeed", lambda at: feed, **toy))  # type: ignore[arg-type]
    return made


def _governance(terms: Terms) -> list[Creation]:
    rules = terms.launch.governance
    first = [terms.deployer] if terms.governor == TIMELOCK else []
    timelock = {
        "delay": rules.timelock_delay_s, "proposers": first, "executors": ["0x" + "0" * 40],
        "admin": terms.deployer,
    }  # fmt: skip
    return [
        Creation(
            "InferaTimelock", lambda at: timelock,
            reads=lambda at: [Read("InferaTimelock", "getMinDelay", rules.timelock_delay_s)],
        ),
        Creation("VeINFR", lambda at: {"infr_": at("INFR")}),
    ]  # fmt: skip


def _settlement(terms: Terms) -> list[Creation]:
    stake, follows = terms.minimum_stake, terms.launch.price.minimum_usdc
    minimums = {1: stake.provider, 2: stake.router, 3: stake.validator}
    priced = {1: follows.provider, 2: follows.router, 3: follows.validator}
    return [
        _proxied(
            terms, "StakeRegistry",
            lambda at: {
                "infr_": at("INFR"), "unbondingPeriod_": terms.unbonding_period_s,
                "minimumProvider": stake.provider * WEI, "minimumRouter": stake.router * WEI,
                "minimumValidator": stake.validator * WEI,
            },
            lambda at, read: [
                read("infr", at("INFR")),
                read("unbondingPeriod", terms.unbonding_period_s),
                *(read("minimumStake", least * WEI, role)
                  for role, least in minimums.items() if not priced[role]),
            ],
        ),
        _proxied(
            terms, "JobRegistry",
            lambda at: {
                "stakeRegistry_": at("StakeRegistry"), "challengeWindow_": terms.challenge_window_s
            },
            lambda at, read: [
                read("stakeRegistry", at("StakeRegistry")),
                read("challengeWindow", terms.challenge_window_s),
            ],
        ),
        _proxied(
            terms, "PaymentVault",
            lambda at: {
                "usdc_": at("USDC"), "jobRegistry_": at("JobRegistry"),
                "thawPeriod_": terms.thaw_period_s,
                **dict(zip(("treasury", "validators", "buyback"), recipients_of(terms, at),
                           strict=True)),
            },
            lambda at, read: [
                read("usdc", at("USDC")),
                read("jobRegistry", at("JobRegistry")),
                read("thawPeriod", terms.thaw_period_s),
                read("recipients", recipients_of(terms, at)),
                read("fees", FEES_BPS),
                read("expirySlack", EXPIRY_SLACK_S),
            ],
        ),
    ]  # fmt: skip


def _judges(terms: Terms) -> list[Creation]:
    court, desk, sla, game = (
        terms.launch.court, terms.launch.desk, terms.launch.sla, terms.launch.disputes
    )  # fmt: skip
    demands = {
        "responseWindow": court.response_window_s, "demandPeriod": court.demand_period_s,
        "demandBond": court.demand_bond * WEI,
    }  # fmt: skip
    claims = {
        "inclusionPeriod": desk.inclusion_period_s, "responseWindow": desk.response_window_s,
        "claimPeriod": desk.claim_period_s, "claimBond": desk.claim_bond * WEI,
    }  # fmt: skip
    rule = (
        sla.quorum_stake * WEI, sla.validators, sla.fewest_probes, sla.slash_bps,
        sla.cool_down_s, sla.claim_period_s,
    )  # fmt: skip
    made = [
        Creation("BatchExaminer", lambda at: {"jobRegistry_": at("JobRegistry")}),
        _proxied(
            terms, "BatchCourt",
            lambda at: {"jobRegistry_": at("JobRegistry"), **demands},
            lambda at, read: [
                read("jobRegistry", at("JobRegistry")),
                read("parameters", tuple(demands.values())),
            ],
        ),
        _proxied(
            terms, "ClaimDesk",
            lambda at: {"paymentVault_": at("PaymentVault"), **claims},
            lambda at, read: [
                read("paymentVault", at("PaymentVault")),
                read("parameters", tuple(claims.values())),
            ],
        ),
        _proxied(
            terms, "SlaRegistry",
            lambda at: {"stakeRegistry_": at("StakeRegistry"), "rule_": rule},
            lambda at, read: [read("stakeRegistry", at("StakeRegistry")), read("rule", rule)],
        ),
    ]  # fmt: skip
    if game is not None:
        play = (
            game.depth, game.clock_s, game.provider_bps, game.challenger_bps, game.bond * WEI
        )  # fmt: skip
        made.append(_proxied(
            terms, "DisputeManager",
            lambda at: {"jobRegistry_": at("JobRegistry"), "parameters_": play},
            lambda at, read: [
                read("jobRegistry", at("JobRegistry")), read("parameters", play),
            ],
        ))  # fmt: skip
    return made


def _evidence(terms: Terms) -> list[Creation]:
    enclave, weights = terms.launch.attestation, terms.launch.reputation
    quorum = (
        enclave.quorum_stake * WEI, enclave.quorum_validators, enclave.quorum_period_s,
        enclave.quorum_slash_bps,
    )  # fmt: skip
    rule = (
        weights.upheld_ppm, weights.mismatch_ppm, weights.base_rate_ppm, weights.half_life_s
    )  # fmt: skip
    return [
        Creation("TdxVerifier", lambda at: {}),
        _proxied(
            terms, "AttestationVerifier",
            lambda at: {
                "tdxVerifier_": at("TdxVerifier"), "lifetime_": enclave.lifetime_s,
                "development_": enclave.development,
            },
            lambda at, read: [
                read("tdxVerifier", at("TdxVerifier")),
                read("lifetime", enclave.lifetime_s),
                read("development", enclave.development),
            ],
        ),
        _proxied(
            terms, "EvidenceQuorum",
            lambda at: {
                "stakeRegistry_": at("StakeRegistry"),
                "attestationVerifier_": at("AttestationVerifier"), "rule_": quorum,
            },
            lambda at, read: [
                read("stakeRegistry", at("StakeRegistry")),
                read("attestationVerifier", at("AttestationVerifier")),
                read("rule", quorum),
            ],
        ),
        _proxied(terms, "ZkVerifier", lambda at: {}, lambda at, read: []),
        _proxied(
            terms, "Reputation",
            lambda at: {"stakeRegistry_": at("StakeRegistry"), "rule_": rule},
            lambda at, read: [read("stakeRegistry", at("StakeRegistry")), read("rule", rule)],
        ),
        Creation(
            "CheckDesk",
            lambda at: {"jobRegistry_": at("JobRegistry"), "reputation_": at("Reputation")},
        ),
    ]  # fmt: skip


def _services(terms: Terms) -> list[Creation]:
    pool, rules, market = terms.launch.hot_pool, terms.launch.governance, terms.launch.market
    seats = (pool.freshness_s, pool.notice_s, pool.epoch_s, pool.margin_bps, pool.reward_bps)

    def setup(at: At) -> dict[str, Any]:
        calls = [(at(c), interface(c).functions[f].selector) for c, f in PARAMETER_CALLS]
        return {"setup": (
            at("InferaTimelock"), at("VeINFR"), at("INFR"), _locked(at), rules.voting_delay_s,
            rules.voting_period_s, rules.vote_extension_s, rules.proposal_threshold * WEI, calls,
        )}  # fmt: skip

    def governs(at: At) -> list[Read]:
        answers: dict[str, Any] = {
            "timelock": at("InferaTimelock"), "token": at("VeINFR"), "infr": at("INFR"),
            "lockedSupplies": _locked(at), "votingDelay": rules.voting_delay_s,
            "votingPeriod": rules.voting_period_s,
            "lateQuorumVoteExtension": rules.vote_extension_s,
            "proposalThreshold": rules.proposal_threshold * WEI,
        }  # fmt: skip
        parameters = [
            Read("InferaGovernor", "isParameterCall", True,
                 (at(c), interface(c).functions[f].selector))
            for c, f in PARAMETER_CALLS
        ]  # fmt: skip
        return [Read("InferaGovernor", f, wanted) for f, wanted in answers.items()] + parameters

    made = [
        _proxied(
            terms, "ModelRegistry",
            lambda at: {"stakeRegistry_": at("StakeRegistry")},
            lambda at, read: [read("stakeRegistry", at("StakeRegistry"))],
        ),
        _proxied(
            terms, "HotPool",
            lambda at: {
                "usdc_": at("USDC"), "modelRegistry_": at("ModelRegistry"), "parameters_": seats
            },
            lambda at, read: [
                read("usdc", at("USDC")),
                read("modelRegistry", at("ModelRegistry")),
                read("parameters", seats),
            ],
        ),
        _proxied(
            terms, "InferaAdapter",
            lambda at: {
                "vault_": at("PaymentVault"), "minimumCost_": terms.launch.adapter_minimum
            },
            lambda at, read: [
                read("vault", at("PaymentVault")),
                read("minimumCost", terms.launch.adapter_minimum),
            ],
        ),
        Creation("InferaGovernor", setup, proxied=True, reads=governs),
    ]  # fmt: skip
    if market.pool_factory:
        tuning = (
            market.tranches, market.window_s, market.cardinality, market.deviation,
            market.slippage_bps, market.least_round_usdc * MICRO,
            market.most_per_tranche_usdc * MICRO,
        )  # fmt: skip
        made.append(Creation(
            "Buyback",
            lambda at: {
                "governor": governor_of(terms, at), "usdc_": at("USDC"), "infr_": at("INFR"),
                "factory_": market.pool_factory, "fee": market.pool_fee, "tuning_": tuning,
            },
            reads=lambda at: [
                Read("Buyback", "tuning", tuning), Read("Buyback", "pool", None, present=True)
            ],
            owner="governor",
        ))  # fmt: skip
    return made


def _locked(at: At) -> list[Address]:
    """What does not circulate, as `Distribution.lockedSupplies` has it."""
    return [
        at(n) for n in ("EcosystemVesting", "TeamVesting", "TreasuryVesting", "InvestorVesting")
    ]
