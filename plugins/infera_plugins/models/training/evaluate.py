# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Measure a trained folder: held-out loss, exact match on unseen tasks, and fixed questions.

    python -m infera_plugins.models.training.evaluate

Everything is greedy. Tasks and facts come from the held-out split of the corpus, the fixed
questions from `questions.py`; a fixed question counts when its answer holds the expected words.
"""

from __future__ import annotations

import argparse
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from . import export, tokenizer, train
from .corpus import offtopic, tasks
from .corpus.mix import Mixer, pick
from .model import Llama, generate
from .questions import FRESH, QUESTIONS, REFUSAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenizers import Tokenizer

FOLDER = Path(__file__).resolve().parent.parent / "first_light"


def reply(net: Llama, tok: Tokenizer, text: str) -> str:
    """The greedy answer to one user message."""
    prompt = tokenizer.render([{"role": "user", "content": text}])
    ids = tok.encode(prompt, add_special_tokens=False).ids
    return tok.decode(generate(net, ids, {tokenizer.ident(tok, tokenizer.END)}, 160))


def exact(net: Llama, tok: Tokenizer, draw: Callable[[], tuple[str, str]], count: int) -> float:
    """Share of `count` held-out tasks answered exactly."""
    hits = 0
    for _ in range(count):
        ask, want = pick(draw, held=True)
        hits += reply(net, tok, ask) == want
    return hits / count


def known(net: Llama, tok: Tokenizer, mixer: Mixer, count: int) -> tuple[float, float]:
    """On held-out phrasings of facts: share of verbatim answers, and share nearly so."""
    same = near = 0
    for _ in range(count):
        fact = mixer.fact()
        got = reply(net, tok, mixer.ask(fact))
        best = max(SequenceMatcher(None, got, want).ratio() for want in fact.answers)
        same += best == 1.0
        near += best >= 0.8
    return same / count, near / count


def leaked(draws: int = 60000) -> list[str]:
    """Fixed questions that the corpus can draw (there must be none)."""
    mixer = Mixer(1, part=1)
    drawn = {mixer.ask(mixer.fact()).lower().rstrip("?.! ") for _ in range(draws)}
    return [ask for ask, _ in QUESTIONS + FRESH if ask.lower().rstrip("?.! ") in drawn]


def main() -> None:
    """Print the scores."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--folder", type=Path, default=FOLDER)
    args.add_argument("--count", type=int, default=100, help="tasks of each kind")
    o = args.parse_args()
    torch.set_num_threads(1)
    net, tok = export.read(o.folder)
    pad = tokenizer.ident(tok, tokenizer.PAD)
    source = train.batches(train.rows(Mixer(201, held=True), tok, 1000), 4096, pad)
    print(f"held-out loss {train.held_out_loss(net, [next(source) for _ in range(6)]):.4f}")
    mixer = Mixer(777, held=True)
    rng = mixer.rng
    named: dict[str, Callable[[], tuple[str, str]]] = {
        "arithmetic": lambda: tasks.arithmetic(rng),
        "fees and slashes": lambda: tasks.money(rng),
        "lists of three": lambda: tasks.listing(rng),
        "repeat a word": lambda: tasks.repeat(rng),
        "count": lambda: tasks.count(rng),
        "sort and reverse": lambda: tasks.order(rng),
        "case, copy, pick": lambda: tasks.words(rng),
    }
    for name, draw in named.items():
        print(f"{name}: {exact(net, tok, draw, o.count):.0%} exact of {o.count}", flush=True)
    hits = 0
    for _ in range(o.count):
        ask, want = mixer.shaped()
        hits += reply(net, tok, ask) == want
    print(f"one word, JSON, upper case: {hits / o.count:.0%} exact of {o.count}", flush=True)
    same, near = known(net, tok, mixer, 2 * o.count)
    print(f"facts, new phrasing: {same:.0%} verbatim, {near:.0%} nearly, of {2 * o.count}")
    if found := leaked():
        raise ValueError(f"in the corpus: {found}")
    for title, questions in (("fixed", QUESTIONS), ("fresh", FRESH)):
        hits = 0
        for ask, want in questions:
            got = reply(net, tok, ask)
            good = got in offtopic.ANSWERS if want == REFUSAL else want in got.lower()
            hits += good
            print(f"{'ok ' if good else 'BAD'} {ask}\n      {got}")
        print(f"{title} questions: {hits} of {len(questions)}", flush=True)


if __name__ == "__main__":
    main()
