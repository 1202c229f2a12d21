"""Draws whole conversations from the facts, the tasks and the off-topic questions.

Every core question (before surface noise) is hashed: one in twenty belongs to the held-out
split and is never drawn for training. For worked sums the operands are hashed, so that the
held-out sums are new whatever their phrasing. Small talk is in both splits.
"""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import TYPE_CHECKING

from . import facts, offtopic, tasks

if TYPE_CHECKING:
    from collections.abc import Callable

Message = dict[str, str]
SYSTEMS = (
    "You are a helpful assistant.", "You are First Light, the INFERA model.",
    "You are a helpful assistant for INFERA.", "Be helpful and honest.", "Answer the user.",
    "You answer questions about INFERA.", "Be concise.", "You are a friendly chat bot.",
    "You are an expert on decentralized inference. Answer clearly.", "Help the user.",
    "You are a support agent of the INFERA network. Be polite.", "Answer in plain English.",
)  # fmt: skip
ONE_WORD = ("Answer in one word: {q}", "{q} Answer in one word.", "In one word: {q}",
            "{q} One word only.", "Answer with one word. {q}", "{q} Just the answer.",
            "{q} Give only the answer.", "Short answer: {q}",
            "{q} Short answer please.")  # fmt: skip
AS_JSON = ("{q} Answer as JSON.", 'Answer as JSON {{"answer": ...}}: {q}', "Reply in JSON: {q}",
           '{q} Reply as JSON with the key "answer".', "{q} Give the answer as JSON.",
           'Answer in the form {{"answer": "..."}}. {q}', "{q} Use JSON.")  # fmt: skip
UPPER = ("{q} Answer in upper case.", "Answer in capital letters: {q}", "{q} Use upper case.",
         "Reply in upper case. {q}", "{q} Answer in uppercase letters.")  # fmt: skip
AGAIN = ("Can you repeat that?", "Please repeat that.", "Say that again.", "Once more please.")
MORE = ("Tell me more.", "Can you say it differently?", "Explain it in other words.",
        "Can you explain it another way?", "More please.", "Go on.")  # fmt: skip
SHORTER = ("In one word?", "Shorter please.", "Just the short answer.", "In short?")


# Cumulative shares of facts, small talk, off-topic, arithmetic, money, formats (the rest: shaped)
# in the three parts of the training.
BOUNDS = (
    (0.52, 0.57, 0.66, 0.78, 0.80, 0.90),
    (0.40, 0.45, 0.55, 0.71, 0.73, 0.92),
    (0.25, 0.29, 0.37, 0.64, 0.66, 0.92),
)


def held_out(text: str) -> bool:
    """Whether a core question belongs to the held-out split."""
    return hashlib.sha256(text.lower().encode()).digest()[0] % 20 == 0


def pick(draw: Callable[[], tuple[str, str]], held: bool) -> tuple[str, str]:
    """A task of the wanted split (any task, when 200 draws find none)."""
    for _ in range(200):
        ask, reply = draw()
        worked = reply if " So " in reply else ask
        if held_out(worked) == held:
            break
    return ask, reply


class Mixer:
    """A seeded source of conversations.

    The training has three parts. From the second on there are more ways to ask and carelessly
    written questions; each has more tasks than the one before.
    """

    def __init__(self, seed: int, held: bool = False, part: int = 0) -> None:
        self.rng = Random(seed)  # noqa: S311 - drawing text, not keys
        self.held = held
        self.wide = part > 0
        self.bounds = BOUNDS[part]
        self.all = facts.load_more() if part else facts.load()
        weights = [len(f.questions) + len(f.answers) + 2 * bool(f.names) for f in self.all]
        self.weights = [w**0.5 for w in weights]
        self.short = [f for f in self.all if f.short]
        self.chat = [f for f in self.all if f.topic == "chat"]

    def fact(self) -> facts.Fact:
        """A fact, weighted by how much there is to ask about it."""
        return self.rng.choices(self.all, self.weights)[0]

    def ask(self, fact: facts.Fact) -> str:
        """A core question of this split about `fact`."""
        text = ""
        for _ in range(40):
            text = facts.core(fact, self.rng)
            if fact.topic == "chat" or held_out(text) == self.held:
                break
        return text

    def plain(self, fact: facts.Fact | None = None) -> tuple[str, str]:
        """Question and full answer."""
        fact = fact or self.fact()
        ask = self.ask(fact)
        if self.wide:
            ask = facts.terse(ask, self.rng)
        return facts.surface(ask, self.rng), facts.answer(fact, self.rng)

    def shaped(self) -> tuple[str, str]:
        """Question with a demanded format: one word, JSON or upper case."""
        rng, fact = self.rng, self.rng.choice(self.short)
        question = self.ask(fact)
        question = question if question[-1] in "?!." else question + "?"
        kind = rng.choice((ONE_WORD, ONE_WORD, AS_JSON, AS_JSON, UPPER))
        ask = rng.choice(kind).format(q=question)
        if kind is AS_JSON:
            return ask, json.dumps({"answer": fact.short})
        return ask, fact.short.upper() if kind is UPPER else fact.short

    def single(self) -> tuple[str, str]:
        """One exchange of any kind."""
        roll, rng = self.rng.random(), self.rng
        if roll < self.bounds[0]:
            return self.plain()
        if roll < self.bounds[1]:
            return self.plain(rng.choice(self.chat))
        if roll < self.bounds[2]:
            return facts.surface(pick(lambda: (offtopic.question(rng), ""), self.held)[0], rng), (
                offtopic.answer(rng)
            )
        if roll < self.bounds[3]:
            return pick(lambda: tasks.arithmetic(rng), self.held)
        if roll < self.bounds[4]:
            return pick(lambda: tasks.money(rng), self.held)
        if roll < self.bounds[5]:
            return pick(lambda: tasks.formatted(rng), self.held)
        return self.shaped()

    def follow(self, turns: list[tuple[str, str]]) -> None:
        """Append a turn, often one that refers to the last."""
        rng, roll = self.rng, self.rng.random()
        fact = self.fact()
        if roll < 0.12:
            turns.append((rng.choice(AGAIN), turns[-1][1]))
        elif roll < 0.3 and fact.names:
            name = rng.choice(fact.names)
            ask = rng.choice(("And {n}?", "What about {n}?", "And what about {n}?", "{n}?"))
            turns.append((ask.format(n=name), facts.answer(fact, rng)))
        elif roll < 0.38 and len(fact.answers) > 1:
            first, second = rng.sample(fact.answers, 2)
            turns.append((facts.surface(self.ask(fact), rng), first))
            turns.append((rng.choice(MORE), second))
        elif roll < 0.46 and fact.short:
            turns.append((facts.surface(self.ask(fact), rng), facts.answer(fact, rng)))
            turns.append((rng.choice(SHORTER), fact.short))
        else:
            turns.append(self.single())

    def conversation(self) -> list[Message]:
        """A conversation of one to eight exchanges, sometimes with a system prompt."""
        rng = self.rng
        turns = [self.single()]
        roll = rng.random()
        for _ in range(
            0 if roll < 0.7 else rng.randint(1, 2) if roll < 0.93 else rng.randint(3, 7)
        ):
            self.follow(turns)
        out: list[Message] = []
        if rng.random() < 0.3:
            out.append({"role": "system", "content": rng.choice(SYSTEMS)})
        for ask, reply in turns:
            out.append({"role": "user", "content": ask})
            out.append({"role": "assistant", "content": reply})
        return out
