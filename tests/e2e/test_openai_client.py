"""The unmodified `openai` client against a live network, and what its answers cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from live_network import infera, post, until

from infera.keys import Signer
from infera.protocol.apikeys import key_hash, new_api_key
from infera.protocol.eip712 import Domain
from infera.protocol.messages import KeyGrant
from infera.protocol.pricing import cost, fees

if TYPE_CHECKING:
    from live_network import Devnet

MODEL = "first-light"
ASK: Any = [{"role": "user", "content": "What is INFERA?"}]
PRICES = (500_000, 1_500_000)


def _bundle(answer: Any) -> dict[str, Any]:
    return dict((answer.model_extra or {})["infera"])


def _check(bundle: dict[str, Any], tmp_path: Any, *args: str, text: str | None = None) -> Any:
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(bundle))
    if text is not None:
        (tmp_path / "answer.txt").write_text(text)
        args = (*args, "--response", str(tmp_path / "answer.txt"))
    return infera("receipt", "verify", str(file), *args)


def test_models(client: openai.OpenAI) -> None:
    [model] = client.models.list().data
    assert (model.id, model.owned_by) == (MODEL, "infera")
    extra: dict[str, Any] = client.models.retrieve(MODEL).model_extra or {}
    assert extra["providers"] == 2
    assert extra["pricing"]["prompt_micro_usdc_per_million"] == PRICES[0]
    assert extra["tiers"] == ["optimistic"]


def test_seats_are_taken_and_paid(devnet: Devnet) -> None:
    node = devnet.node
    node.line("made first-light official")
    for name in ("provider-1", "provider-2"):
        who = devnet.accounts[name][:10]
        assert "0.001000 USDC a second" in node.line(f"provider {who} keeps first-light warm")
        assert node.line(f"by provider {who} for its seats").startswith("earned ")


def test_chat_costs_what_its_receipt_says_and_the_receipt_holds_offline(
    devnet: Devnet, client: openai.OpenAI, tmp_path: Any
) -> None:
    before = devnet.account()
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=12)
    bundle, usage = _bundle(answer), answer.usage
    assert usage is not None
    text = answer.choices[0].message.content
    assert text
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens <= 12
    receipt = bundle["receipt"]
    assert receipt["cost"] == cost(usage.prompt_tokens, usage.completion_tokens, *PRICES, 0)
    after = devnet.account()
    assert after["spent"] - before["spent"] == receipt["cost"]
    assert after["reserved"] == before["reserved"] == 0
    checked = _check(bundle, tmp_path, text=text)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all 5 checks hold" in checked.stdout


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream(devnet: Devnet, client: openai.OpenAI, tmp_path: Any, include_usage: bool) -> None:
    before = devnet.account()["spent"]
    options: Any = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=8, seed=3, stream=True, **options
        )
    )
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert chunks[0].choices[0].delta.role == "assistant"
    ends = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert ends[-1] in ("stop", "length")
    assert not any(ends[:-1])
    assert len({c.id for c in chunks}) == 1
    usages = [c.usage for c in chunks if c.usage]
    assert len(usages) == int(include_usage)
    bundle = _bundle(chunks[-1])
    receipt = bundle["receipt"]
    if include_usage:
        assert usages[0].completion_tokens == receipt["tokensOut"]
    whole = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=8, seed=3)
    assert "".join(pieces) == whole.choices[0].message.content, "streamed or not, the same words"
    assert devnet.account()["spent"] - before == 2 * receipt["cost"]
    checked = _check(bundle, tmp_path, text="".join(pieces))
    assert checked.returncode == 0, checked.stdout


def test_seed_decides(client: openai.OpenAI) -> None:
    def say(seed: int) -> str:
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=16, seed=seed, temperature=1.5
        )
        return str(answer.choices[0].message.content)

    assert say(7) == say(7)
    assert len({say(seed) for seed in (7, 8, 9)}) > 1


def test_completion_with_logprobs(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model=MODEL, prompt="The network", max_tokens=5, seed=1, logprobs=2
    )
    assert answer.object == "text_completion"
    found = answer.choices[0].logprobs
    assert found is not None
    assert answer.usage is not None
    assert found.tokens is not None
    assert len(found.tokens) == answer.usage.completion_tokens
    assert all(value <= 0 for value in found.token_logprobs or [])


def test_chat_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=4, logprobs=True, top_logprobs=2
    )
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content
    assert all(len(entry.top_logprobs) == 2 for entry in found.content)


def test_stop_sequence_ends_the_answer(client: openai.OpenAI) -> None:
    free = client.completions.create(model=MODEL, prompt="The", max_tokens=24, seed=5)
    text = free.choices[0].text
    stop = text.split()[2]
    cut = client.completions.create(model=MODEL, prompt="The", max_tokens=24, seed=5, stop=stop)
    assert cut.choices[0].text == text[: text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def _refused(call: Any) -> tuple[int, str | None]:
    with pytest.raises(openai.APIStatusError) as refused:
        call()
    return refused.value.status_code, refused.value.code


def test_errors(devnet: Devnet, client: openai.OpenAI) -> None:
    before = devnet.account()["spent"]
    create = client.chat.completions.create
    stranger = client.with_options(api_key=new_api_key()).chat.completions.create
    cases: list[tuple[Any, tuple[int, str]]] = [
        (lambda: stranger(model=MODEL, messages=ASK), (401, "invalid_api_key")),
        (lambda: create(model="no-such", messages=ASK), (404, "model_not_found")),
        (
            lambda: create(model=MODEL, messages=ASK, n=2),
            (400, "unsupported_value"),
        ),
        (
            lambda: create(model=MODEL, messages=[{"role": "user", "content": "word " * 3_000}]),
            (400, "context_length_exceeded"),
        ),
        (
            lambda: create(model=MODEL, messages=ASK, max_tokens=100_000),
            (400, "context_length_exceeded"),
        ),
    ]
    for call, expected in cases:
        assert _refused(call) == expected
    after = devnet.account()
    assert (after["spent"], after["reserved"]) == (before, 0), "a refusal costs nothing"


def test_an_account_without_funds_is_told_so(devnet: Devnet, client: openai.OpenAI) -> None:
    poor, key = Signer.generate(), new_api_key()
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=1)
    bundle = _bundle(answer)
    grant = KeyGrant(
        account=poor.address,
        key_hash=key_hash(key),
        routers=(bundle["ticket"]["router"],),
        models=(),
        max_price_in=10**9,
        max_price_out=10**9,
        per_job_cap=10**6,
        daily_cap=10**6,
        total_cap=10**6,
        not_before=0,
        not_after=bundle["ticket"]["issuedAt"] + 3600,
        generation=0,
    )
    digest = grant.digest(Domain.from_json(bundle["domain"]))
    body = {"grant": grant.to_json(), "signature": "0x" + poor.sign(digest).hex()}
    status, _ = post(devnet.base_url, "/network/grants", devnet.api_key, body)
    assert status == 200
    call = client.with_options(api_key=key).chat.completions.create
    assert _refused(lambda: call(model=MODEL, messages=ASK)) == (402, "insufficient_funds")


@pytest.mark.parametrize("stream", [False, True])
def test_idempotency(devnet: Devnet, client: openai.OpenAI, stream: bool) -> None:
    headers = {"Idempotency-Key": f"order-{stream}"}

    def order(tokens: int) -> tuple[str, str]:
        if not stream:
            answer = client.chat.completions.create(
                model=MODEL, messages=ASK, max_tokens=tokens, extra_headers=headers
            )
            return answer.id, str(answer.choices[0].message.content)
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=ASK, max_tokens=tokens, stream=True, extra_headers=headers
            )
        )
        pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
        return chunks[0].id, "".join(pieces)

    first = order(6)
    spent = devnet.account()["spent"]
    assert order(6) == first
    assert devnet.account()["spent"] == spent, "told again, not charged again"
    assert _refused(lambda: order(7)) == (409, "idempotency_key_reused")


def test_money_arrives_and_the_leaf_proves_it(
    devnet: Devnet, client: openai.OpenAI, tmp_path: Any
) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=10)
    job = answer.id.removeprefix("chatcmpl-")
    receipt = until("the job is in a batch", lambda: _settled(devnet, job))
    assert receipt["leaf"]["fields"]["cost"] == receipt["receipt"]["cost"]
    checked = _check(receipt, tmp_path, text=answer.choices[0].message.content)
    assert checked.returncode == 0, checked.stdout
    assert "all 7 checks hold" in checked.stdout

    until("all of it is debited on-chain", lambda: devnet.account()["unsettled"] == 0)
    account = devnet.account()
    assert account["locked"] == 25_000_000 - account["spent"]
    net = fees(receipt["receipt"]["cost"]).provider
    assert net > 0
    provider = receipt["ticket"]["provider"]
    devnet.node.line(f"by provider {provider[:10]}", 20)
    devnet.node.line("checked    batch", 20)
    assert "mismatch" not in devnet.node.output


def _settled(devnet: Devnet, job: str) -> dict[str, Any] | None:
    found = devnet.receipt(job)
    return found if found["leaf"] else None


@pytest.mark.parametrize("fault", ["cost", "tokensOut", "responseHash", "signature", "leaf"])
def test_a_tampered_receipt_fails(
    devnet: Devnet, client: openai.OpenAI, tmp_path: Any, fault: str
) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=3)
    bundle = _bundle(answer)
    if fault == "leaf":
        job = answer.id.removeprefix("chatcmpl-")
        bundle = until("the job is in a batch", lambda: _settled(devnet, job))
        bundle["leaf"]["fields"]["cost"] += 1
    elif fault == "signature":
        bundle["receiptSignature"] = bundle["ticketSignature"]
    elif fault == "responseHash":
        bundle["receipt"][fault] = "0x" + "11" * 32
    else:
        bundle["receipt"][fault] += 1
    checked = _check(bundle, tmp_path)
    assert checked.returncode == 1
    assert "receipt_invalid" in checked.stderr
    assert "!!" in checked.stdout
