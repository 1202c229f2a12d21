# mypy: disable-error-code="import-not-found, misc, no-untyped-call, untyped-decorator"
"""Train `first_light` from nothing on one CPU thread.

    python -m infera_plugins.models.training.train

Hidden matrices are trained with Muon (Jordan et al. 2024), which needs far fewer tokens than Adam
at this size; embeddings and norms with AdamW (Loshchilov and Hutter 2019). The learning rate
warms up, stays constant and then falls linearly to zero (Hu et al. 2024, "MiniCPM"). The data
comes from three mixes in turn (see `corpus/mix.py`). Data, order and initial weights follow from
`--seed`.
"""

from __future__ import annotations

import argparse
import itertools
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from . import export, tokenizer
from .corpus.mix import Mixer
from .model import Llama, Shape, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
# Step and learning rate factor. The last part was shortened to fit the time there was; these are
# the knots of the run that made the shipped weights.
KNOTS = ((-1, 0.0), (39, 1.0), (700, 1.0), (1000, 8 / 11), (1520, 0.0))
STEPS, TURN, SECOND = KNOTS[-1][0], 700, 400  # all steps, and those of the first two mixes
Row = tuple[list[int], list[int]]
PROBES = ("What is the hot pool?", "who gets the slashed stake", "What is 47 + 85?",
          "Say token 4 times.", "How do I call INFERA from Python?", "Who was Mozart?")  # fmt: skip


def rows(mixer: Mixer, tok: Tokenizer, limit: int) -> Iterator[Row]:
    """Single conversations, and now and then a long row that packs several of them."""
    while True:
        ids, mask = tokenizer.encode(tok, mixer.conversation())
        if mixer.rng.random() < 0.025:
            target = mixer.rng.randint(300, limit)
            while len(ids) < target:
                more, mask_more = tokenizer.encode(tok, mixer.conversation())
                ids, mask = ids + more, mask + mask_more
        yield ids[:limit], mask[:limit]


def batches(source: Iterator[Row], tokens: int, pad: int) -> Iterator[list[Tensor]]:
    """Steps of about `tokens` tokens, as padded parts of rows of similar length.

    Each part is a tensor (2, rows, length): ids, and mask + 1 (0 on padding).
    """
    while True:
        step: list[Row] = []
        while sum(len(r[0]) for r in step) < tokens:
            step.append(next(source))
        step.sort(key=lambda r: -len(r[0]))
        groups: list[list[Row]] = []
        for row in step:
            wide = groups and len(groups[-1][0][0]) <= 1.5 * len(row[0]) + 8
            if wide:
                groups[-1].append(row)
            else:
                groups.append([row])
        yield [_padded(group, pad) for group in groups]


def _padded(group: list[Row], pad: int) -> Tensor:
    width = max(len(r[0]) for r in group)
    part = torch.zeros(2, len(group), width, dtype=torch.long)
    part[0].fill_(pad)
    for i, (ids, mask) in enumerate(group):
        part[0, i, : len(ids)] = torch.tensor(ids)
        part[1, i, : len(ids)] = torch.tensor(mask) + 1
    return part


def losses(net: Llama, part: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every next token, and its class (0 padding, 1 context, 2 assistant)."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(part[0, :, :-1])
    kind = part[1, :, 1:].reshape(-1)
    flat = logits.float().view(-1, logits.shape[-1])
    return functional.cross_entropy(flat, part[0, :, 1:].reshape(-1), reduction="none"), kind


@torch.no_grad()
def held_out_loss(net: Llama, steps: list[list[Tensor]]) -> float:
    """Mean loss on the assistant tokens of held-out conversations."""
    total, count = 0.0, 0
    for part in (p for step in steps for p in step):
        loss, kind = losses(net, part)
        total += float(loss[kind == 2].sum())
        count += int((kind == 2).sum())
    return total / count


def rate(step: int, knots: tuple[tuple[int, float], ...] = KNOTS) -> float:
    """Learning rate factor: piecewise linear through the knots."""
    for (left, low), (right, high) in pairwise(knots):
        if step <= right:
            return low + (high - low) * (step - left) / (right - left)
    return 0.0


def probe(net: Llama, tok: Tokenizer) -> str:
    """Answers to a few fixed questions, for the log."""
    stop = {tokenizer.ident(tok, tokenizer.END)}
    out = []
    for text in PROBES:
        prompt = tokenizer.render([{"role": "user", "content": text}])
        ids = tok.encode(prompt, add_special_tokens=False).ids
        out.append(f"  {text} -> {tok.decode(generate(net, ids, stop, 60))!r}")
    return "\n".join(out)


def main() -> None:
    """Run the training."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", type=Path, default=HERE.parent / "first_light")
    args.add_argument("--state", type=Path, default=None, help="checkpoint to write and resume")
    args.add_argument("--tokens", type=int, default=4096, help="tokens per step")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--every", type=int, default=100, help="steps between exports")
    o = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    shape = Shape()
    tok = tokenizer.train(shape.vocab_size, seed=o.seed)
    pad = tokenizer.ident(tok, tokenizer.PAD)
    net = Llama(shape)
    hidden = [p for n, p in net.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in net.named_parameters() if p.dim() != 2 or "embed" in n]
    optimizers = (
        torch.optim.Muon(hidden, lr=0.02, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(rest, lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0),
    )
    base = [opt.param_groups[0]["lr"] for opt in optimizers]
    drawn = [
        batches(rows(Mixer(o.seed + 100 + 200 * part, part=part), tok, 1000), o.tokens, pad)
        for part in range(3)
    ]
    first_part, second_part = itertools.islice(drawn[0], TURN), itertools.islice(drawn[1], SECOND)
    source = itertools.chain(first_part, second_part, drawn[2])
    check = batches(rows(Mixer(o.seed + 200, held=True), tok, 1000), o.tokens, pad)
    checks = [next(check) for _ in range(6)]
    print(f"parameters {net.parameters_count()} vocabulary {tok.get_vocab_size()}", flush=True)
    first, seen = 0, 0
    if o.state and o.state.exists():
        state = torch.load(o.state, weights_only=True)
        net.load_state_dict(state["net"])
        for opt, saved in zip(optimizers, state["optimizers"], strict=True):
            opt.load_state_dict(saved)
        first, seen = state["step"], state["seen"]
        for _ in range(first):
            next(source)
    started, mean = time.monotonic(), 0.0
    for step in range(first, STEPS):
        parts = next(source)
        weight = sum(
            float((p[1, :, 1:] == 2).sum() + 0.1 * (p[1, :, 1:] == 1).sum()) for p in parts
        )
        for part in parts:
            loss, kind = losses(net, part)
            scale = (kind == 2).float() + 0.1 * (kind == 1).float()
            total = (loss * scale).sum() / weight
            total.backward()
            mean += float(total.detach())
            seen += int((part[1] > 0).sum())
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for opt, lr in zip(optimizers, base, strict=True):
            opt.param_groups[0]["lr"] = lr * rate(step)
            opt.step()
            opt.zero_grad()
        if (step + 1) % 20 == 0:
            speed = (time.monotonic() - started) / (step + 1 - first)
            line = f"step {step + 1} tokens {seen} loss {mean / 20:.4f} s/step {speed:.2f}"
            print(line, flush=True)
            mean = 0.0
        if (step + 1) % o.every == 0 or step + 1 == STEPS:
            print(f"held-out loss {held_out_loss(net, checks):.4f}\n{probe(net, tok)}", flush=True)
            export.write(net, tok, o.out)
            if o.state:
                saved = [opt.state_dict() for opt in optimizers]
                torch.save({"net": net.state_dict(), "optimizers": saved, "step": step + 1,
                            "seen": seen}, o.state)  # fmt: skip
    print(f"done: {seen} tokens in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
