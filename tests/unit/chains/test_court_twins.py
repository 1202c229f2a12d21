"""The examiner in Python finds what the contract finds: on faults, on sound batches, and on
evidence that was tampered with.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.bus import EventBus
from infera.context import Context
from infera.errors import ChainError
from infera.keys import KeyStore
from infera.protocol.batches import (
    Batch,
    SettledJob,
    Totals,
    build_batch,
    pack_credits,
    pack_debits,
    pack_jobs,
)
from infera.protocol.charges import charges, charges_of_messages
from infera.protocol.evidence import (
    BatchFault,
    Evidence,
    Tree,
    around,
    job_proof,
    key_of,
    row_proof,
    rows_proof,
    run_proof,
)
from infera.protocol.examiner import Examiner, NoEvidenceError
from infera.protocol.leaves import CREDIT_LEAF_SIZE, DEBIT_LEAF_SIZE, JOB_LEAF_SIZE
from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
from infera.protocol.rules import job_cost
from infera.state import State
from infera.types import FinishReason, OperatorRole, Tier
from infera_ext import merkle_root
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.chains.evm.config import EvmConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from infera.keys import Signer

JOBS = 9


@dataclass
class Trial:
    """A router on a chain with courts, its messages, and two batches of which one is committed."""

    chain: EvmChain
    router: Signer
    grants: list[KeyGrant]
    tickets: list[JobTicket]
    receipts: list[JobReceipt]
    first: Batch
    second: Batch

    @property
    def court(self) -> Any:
        return self.chain.court

    def examiner(self, *batches: Batch) -> Examiner:
        known = {batch.header.index: batch.header for batch in batches}
        return Examiner(self.router.address, self.chain.domain, known)

    async def both(self, examiner: Examiner, evidence: Evidence) -> BatchFault | None:
        """What both find, after checking that they agree; None: both refuse to look."""
        try:
            here = examiner.examine(evidence)
        except NoEvidenceError:
            here = None
        try:
            there = await self.court.examine(evidence)
        except ChainError:
            there = None
        assert here == there, evidence
        return None if here is None else here.fault


def _settled(trial: Trial, numbers: range) -> list[SettledJob]:
    domain = trial.chain.domain
    return [
        SettledJob(
            trial.tickets[i].digest(domain),
            trial.receipts[i].digest(domain),
            trial.tickets[i].account,
            trial.tickets[i].grant,
            trial.tickets[i].provider,
            trial.receipts[i].cost,
            trial.tickets[i].tier,
        )
        for i in numbers
    ]


def _messages(trial: Trial, keys: KeyStore) -> None:
    domain, now = trial.chain.domain, 1_800_000_000
    for n in range(3):
        trial.grants.append(
            KeyGrant(
                keys.get_or_create(f"account-{n % 2}").address, bytes([n + 1]) * 32,
                (trial.router.address,), (bytes([9]) * 32,) if n else (), 900_000, 900_000,
                50_000_000, 10**9, 10**9, now - 100, now + 1_000, 0,
            )
        )  # fmt: skip
    for i in range(2 * JOBS):
        grant = trial.grants[(i * i) % 3]
        ticket = JobTicket(
            bytes([i + 1]) * 32, i + 1, trial.router.address, grant.account, grant.digest(domain),
            keys.get_or_create(f"provider-{i % 2}").address, bytes([9]) * 32, Tier.OPTIMISTIC,
            bytes([1]) * 32, bytes([2]) * 32, 5, 500_000, 800_000, 0, 10**6, 10**6, 2_000_000,
            now, now + 60,
        )  # fmt: skip
        tokens = (400_000 + 1_000 * i, 300_000 + 777 * i)
        trial.tickets.append(ticket)
        trial.receipts.append(
            JobReceipt(
                ticket.digest(domain), bytes([3]) * 32, *tokens, job_cost(ticket, *tokens),
                FinishReason.STOP, bytes([4]) * 32, now + 5,
            )
        )  # fmt: skip


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    home = tmp_path
    async with State(f"sqlite:///{home / 'state.db'}") as state:
        context = Context("test", home, EventBus(), state, KeyStore(home / "keys"))
        settings = {"rpc": "embedded", "deploy": True, "fund": {"router": {}}}
        chain = EvmChain(EvmConfig.model_validate(settings), context)
        async with anyio.create_task_group() as tasks:
            await tasks.start(lambda task_status: chain.serve(task_status=task_status))
            router = context.keys.get("router")
            await chain.register_operator(
                router, OperatorRole.ROUTER, router.address, 10_000 * 10**18, "ws://here"
            )
            nothing: Any = None
            made = Trial(chain, router, [], [], [], nothing, nothing)
            _messages(made, context.keys)
            jobs = _settled(made, range(JOBS))
            made.first = build_batch(router.address, 0, jobs, Totals())
            jobs = _settled(made, range(JOBS, 2 * JOBS))
            made.second = build_batch(router.address, 1, jobs, made.first.totals)
            await chain.commit_batch(router, made.first.header)
            yield made
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def committed(trial: Trial, batch: Batch) -> AsyncIterator[Examiner]:
    """The batch on the chain, for now; and the twin that knows it."""
    before = await trial.chain.rpc.once("evm_snapshot")
    await trial.chain.commit_batch(trial.router, batch.header)
    yield trial.examiner(trial.first, batch)
    assert await trial.chain.rpc.once("evm_revert", before)


def forged(batch: Batch, header: dict[str, Any] | None = None, **rows: Any) -> Batch:
    """The batch as its router would commit it with other rows; what is summed is left as it is."""
    batch = Batch(
        batch.header,
        tuple(rows.get("jobs", batch.jobs)),
        tuple(rows.get("debits", batch.debits)),
        tuple(rows.get("credits", batch.credits)),
        batch.decisions,
        batch.totals,
    )
    return replace(
        batch,
        header=replace(
            batch.header,
            jobs_root=merkle_root(pack_jobs(batch.jobs), JOB_LEAF_SIZE),
            debits_root=merkle_root(pack_debits(batch.debits), DEBIT_LEAF_SIZE),
            credits_root=merkle_root(pack_credits(batch.credits), CREDIT_LEAF_SIZE),
            count=len(batch.jobs),
            grants=len(batch.debits),
            providers=len(batch.credits),
            **(header or {}),
        ),
    )


def altered(rows: Any, place: int, **changes: Any) -> list[Any]:
    return [replace(row, **changes) if i == place else row for i, row in enumerate(rows)]


def bumped(rows: Any, place: int, name: str, by: int) -> list[Any]:
    return altered(rows, place, **{name: getattr(rows[place], name) + by})


LIES: dict[str, tuple[Callable[[Batch], Batch], set[str], set[BatchFault]]] = {
    "a ticket twice": (
        lambda b: forged(b, jobs=altered(b.jobs, 5, ticket=b.jobs[2].ticket)),
        {"examinePair"},
        {BatchFault.DUPLICATE},
    ),
    "a grant's total too low": (
        lambda b: forged(b, jobs=bumped(b.jobs, 7, "grant_total", -5)),
        {"examinePair"},
        {BatchFault.GRANT_TOTAL},
    ),
    "a grant's total too high": (
        lambda b: forged(b, jobs=bumped(b.jobs, 7, "grant_total", 5)),
        {"examineRun"},
        {BatchFault.GRANT_TOTAL},
    ),
    "a provider's total too low": (
        lambda b: forged(b, jobs=bumped(b.jobs, 6, "provider_total", -(10**6))),
        {"examinePair"},
        {BatchFault.PROVIDER_TOTAL},
    ),
    "a provider's total too high": (
        lambda b: forged(b, jobs=bumped(b.jobs, 6, "provider_total", 10**6)),
        {"examineRun"},
        {BatchFault.PROVIDER_TOTAL},
    ),
    "a first total below the batch before": (
        lambda b: forged(b, jobs=bumped(b.jobs, 0, "grant_total", -b.jobs[0].grant_total)),
        {"examineRow"},
        {BatchFault.GRANT_TOTAL},
    ),
    "a first total that jumps": (
        lambda b: forged(b, jobs=bumped(b.jobs, 0, "grant_total", 9)),
        {"examineHead"},
        {BatchFault.GRANT_TOTAL},
    ),
    "a grant's row too high": (
        lambda b: forged(b, debits=bumped(b.debits, 0, "debited", 7)),
        {"examineTail", "examineSum"},
        {BatchFault.DEBIT, BatchFault.SUM},
    ),
    "a grant's row too low": (
        lambda b: forged(b, debits=bumped(b.debits, 1, "debited", -7)),
        {"examineRow", "examineSum"},
        {BatchFault.DEBIT, BatchFault.SUM},
    ),
    "a provider's row too high": (
        lambda b: forged(b, credits=bumped(b.credits, 0, "credited", 7)),
        {"examineTail", "examineSum"},
        {BatchFault.CREDIT, BatchFault.SUM},
    ),
    "a provider's row shrinks": (
        lambda b: forged(b, credits=altered(b.credits, 0, credited=1)),
        {"examineRow", "examineRows", "examineSum"},
        {BatchFault.CREDIT, BatchFault.SUM},
    ),
    "fees shrink": (
        lambda b: forged(b, debits=altered(b.debits, 0, router_fees=0)),
        {"examineRows", "examineSum"},
        {BatchFault.DEBIT, BatchFault.SUM},
    ),
    "rows out of order": (
        lambda b: forged(b, debits=b.debits[::-1]),
        {"examineRows"},
        {BatchFault.ORDER},
    ),
    "a row is missing": (
        lambda b: forged(b, debits=b.debits[1:]),
        {"examineMissing", "examineSum"},
        {BatchFault.MISSING, BatchFault.SUM},
    ),
    "all rows are missing": (
        lambda b: forged(b, credits=()),
        {"examineMissing"},
        {BatchFault.MISSING},
    ),
    "the header is raised along": (
        lambda b: forged(b, {"debited": b.header.debited + 40, "fees": b.header.fees + 40}),
        {"examineSum", "examineCosts"},
        {BatchFault.SUM},
    ),
    "a tier without a window": (
        lambda b: forged(b, {"tiers": 1 << Tier.TEE}),
        {"examineTier"},
        {BatchFault.TIER},
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_found_by_both(trial: Trial, lie: str) -> None:
    tell, functions, faults = LIES[lie]
    batch = tell(trial.second)
    found = list(charges(batch, trial.first))
    async with committed(trial, batch) as examiner:
        shown = {await trial.both(examiner, evidence) for evidence in found}
        assert not shown & {None, BatchFault.NONE}
        assert shown >= faults
        assert {evidence.function for evidence in found} >= functions
        # What has been tampered with says the same, or nothing, to both.
        verdicts = [
            await trial.both(examiner, other) for one in found[:3] for other in tampered(one)
        ]
        assert None in verdicts


async def test_a_sound_batch_has_no_fault_for_either(trial: Trial) -> None:
    assert list(charges(trial.first, None)) == []
    assert list(charges(trial.second, trial.first)) == []
    async with committed(trial, trial.second) as examiner:
        for evidence in everything(trial):
            assert await trial.both(examiner, evidence) is BatchFault.NONE, evidence.function
            for other in tampered(evidence):
                assert await trial.both(examiner, other) in (None, BatchFault.NONE)
        elsewhere = replace(everything(trial)[0], router=trial.grants[0].account)
        assert await trial.both(examiner, elsewhere) is None


def everything(trial: Trial) -> list[Evidence]:
    """A sound batch shown through every function."""
    one, two, router = trial.first, trial.second, trial.router.address
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("examinePair", (job_proof(one, 3), job_proof(two, 3))),
        ("examineCosts", (run_proof(two, 0, JOBS - 1),)),
        ("examineCosts", (run_proof(one, 2, 5),)),
        ("examineTier", (job_proof(two, 1),)),
    ]
    for tree in Tree:
        keys = [key_of(tree, leaf) for leaf in two.jobs]
        key = keys[0]
        again = keys.index(key, 1)
        last = max(i for i, known in enumerate(keys) if known == key)
        [row], [before] = around(two, tree, key), around(one, tree, key)
        calls += [
            ("examineRun", (tree, run_proof(two, 0, again))),
            ("examineHead", (tree, run_proof(two, 0, 0), (before,))),
            ("examineTail", (tree, run_proof(two, last, JOBS - 1), row)),
            ("examineRow", (tree, job_proof(two, 0), row)),
            ("examineRow", (tree, job_proof(two, 0), before)),
            ("examineRows", (tree, row_proof(two, tree, 0), row_proof(two, tree, 1))),
            ("examineRows", (tree, before, row)),
            ("examineSum", (tree, rows_proof(two, tree))),
        ]
    place = 4
    ticket, receipt = trial.tickets[JOBS + place], trial.receipts[JOBS + place]
    grant = next(g for g in trial.grants if g.digest(trial.chain.domain) == ticket.grant)
    job = job_proof(two, place)
    calls += [
        ("examineTicket", (job, ticket)),
        ("examineCost", (job, ticket, receipt)),
        ("examineGrant", (job, ticket, grant)),
    ]
    return [Evidence(router, function, shown) for function, shown in calls]


def tampered(evidence: Evidence) -> list[Evidence]:
    """The same evidence with one thing wrong at a time."""
    found = []
    for place, argument in enumerate(evidence.arguments):
        for other in _others(argument):
            arguments = (*evidence.arguments[:place], other, *evidence.arguments[place + 1 :])
            found.append(replace(evidence, arguments=arguments))
    return found


def _others(argument: Any) -> list[Any]:
    if isinstance(argument, Tree):
        return [Tree(1 - argument)]
    if isinstance(argument, tuple):
        return [argument[:-1], argument * 2] if argument else []
    if isinstance(argument, int):
        return [argument + 1, 0]
    assert is_dataclass(argument)
    others = []
    for field in fields(argument):
        value = getattr(argument, field.name)
        if field.name == "siblings":
            others.append(replace(argument, siblings=value[:-1]))
            others.append(replace(argument, siblings=(*value, bytes(32))))
        elif field.name in ("batch", "position", "total", "max_cost", "cost", "tokens_in"):
            others.append(replace(argument, **{field.name: value + 1}))
            others.append(replace(argument, **{field.name: max(value - 1, 0)}))
        elif field.name == "leaves":
            others.append(replace(argument, leaves=value[:-1]))
            others.append(replace(argument, leaves=value[1:]))
        elif field.name == "leaf":
            others.append(replace(argument, leaf=replace(value, cost=value.cost + 1)))
        elif field.name == "row":
            others.append(replace(argument, row=replace(value, total=value.total + 1)))
    return others


# -- messages -----------------------------------------------------------------------------------

WRONG_TICKETS: dict[str, dict[str, Any]] = {
    "router": {"router": "0x" + "1" * 40},
    "account": {"account": "0x" + "1" * 40},
    "grant": {"grant": bytes(32)},
    "provider": {"provider": "0x" + "1" * 40},
    "tier": {"tier": Tier.TEE},
    "max_cost": {"max_cost": 5},
    "price_in": {"price_in": 1_000_000},
    "price_out": {"price_out": 1_000_000},
    "too early": {"issued_at": 1},
    "too late": {"issued_at": 2_000_000_000},
    "model": {"model_id": bytes([8]) * 32},
    "cap": {"max_cost": 60_000_000},
}


@pytest.mark.parametrize("wrong", WRONG_TICKETS)
async def test_a_ticket_that_disagrees_is_found_by_both(trial: Trial, wrong: str) -> None:
    """A job committed with a ticket that says something else, or is outside its grant."""
    domain, place = trial.chain.domain, 4
    ticket = replace(trial.tickets[JOBS + place], **WRONG_TICKETS[wrong])
    receipt = replace(trial.receipts[JOBS + place], ticket=ticket.digest(domain))
    leaf = {"ticket": ticket.digest(domain), "receipt": receipt.digest(domain)}
    batch = forged(trial.second, jobs=altered(trial.second.jobs, place, **leaf))
    grant = next(g for g in trial.grants if g.digest(domain) == trial.tickets[JOBS + place].grant)
    found = list(charges_of_messages(batch, place, ticket, receipt, grant))
    assert found
    async with committed(trial, batch) as examiner:
        for evidence in found:
            fault = await trial.both(examiner, evidence)
            assert fault in (BatchFault.TICKET, BatchFault.COST, BatchFault.GRANT, None)
            assert (fault is None) == (wrong == "grant" and evidence.function == "examineGrant")


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost": 1},
        {"ticket": bytes(32)},
        {"tokens_in": 1_500_000},
        {"tokens_out": 1_500_000},
        {"completed_at": 5},
    ],
    ids=str,
)
async def test_a_receipt_that_disagrees_is_found_by_both(
    trial: Trial, wrong: dict[str, Any]
) -> None:
    domain, place = trial.chain.domain, 2
    ticket = trial.tickets[JOBS + place]
    receipt = replace(trial.receipts[JOBS + place], **wrong)
    leaf = {"receipt": receipt.digest(domain)}
    batch = forged(trial.second, jobs=altered(trial.second.jobs, place, **leaf))
    [evidence] = charges_of_messages(batch, place, ticket, receipt)
    async with committed(trial, batch) as examiner:
        assert await trial.both(examiner, evidence) is BatchFault.COST
