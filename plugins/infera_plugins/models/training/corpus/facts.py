"""Facts: a small text grammar, parsed and expanded into questions and answers.

Blocks are separated by blank lines. In a block,
  `@ a; b`   lists names of the thing defined (`@+` plural, `@r` a role), for generic questions,
  `? text`   is a question pattern, where `{a|b}` chooses one alternative,
  `= text`   is the short answer, and
  `! text`   is a full answer (several lines give several answers).
`more_questions.txt` adds questions to facts named by the beginning of their first answer (`>`).
The facts themselves come from the INFERA whitepaper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
SINGULAR_S = ("UUPS", "Prometheus", "prometheus", "tokenomics")

FRAMES = (
    "What {be} {np}?", "What {be} {np}?", "What {be} {np} in INFERA?", "Explain {np}.",
    "Explain {np} in simple words.", "Explain {np} in one sentence.", "Define {np}.",
    "Tell me about {np}.", "Tell me more about {np}.", "Can you explain {np}?",
    "Can you explain {np} to me?", "Could you explain what {np} {be}?",
    "Can you tell me what {np} {be}?", "Do you know what {np} {be}?", "What exactly {be} {np}?",
    "What do you know about {np}?", "What does {np} mean?", "What does the term {np} mean?",
    "Describe {np}.", "Describe {np} briefly.", "Give me a definition of {np}.",
    "Give me a short explanation of {np}.", "How would you explain {np} to a beginner?",
    "How would you describe {np}?", "I have never heard of {np}. What {be} {pro}?",
    "What {be} meant by {np}?", "Please describe {np}.", "Please explain {np}.", "{np}?",
    "I want to know what {np} {be}.", "I want to learn about {np}.", "What about {np}?",
    "I would like to understand {np}.", "In INFERA, what {be} {np}?", "Help me understand {np}.",
    "What can you tell me about {np}?", "Teach me about {np}.", "What do people mean by {np}?",
    "Who or what {be} {np}?", "How do you define {np}?", "What {be} {np} exactly?",
    "The docs mention {np}. What {be} {pro}?", "I read about {np}. Can you explain?",
)  # fmt: skip
THING = ("How does {np} work?", "What {be} {np} for?", "What {be} the purpose of {np}?",
         "Why does INFERA need {np}?", "What does {np} do?", "What {be} {np} used for?",
         "Why {be} {np} important?", "What {be} the role of {np}?")  # fmt: skip
ROLE = ("What {do} {np} do?", "What {be} the job of {np}?", "What {be} {np} responsible for?",
        "What {be} the task of {np}?", "What {do} {np} do in INFERA?", "What {do} {np} do all day?",
        "Why does INFERA need {np}?", "What {be} the duty of {np}?")  # fmt: skip
BEFORE = ("Hi! ", "Hello, ", "Hey, ", "Quick question: ", "Question: ", "Please tell me: ",
          "I am new here. ", "Sorry, but ", "One more question: ", "I was wondering: ", "So, ",
          "OK, ", "Please help: ", "For my project: ", "Just curious: ", "Okay so ",
          "Next question: ", "First Light, ")  # fmt: skip
AFTER = (" Thanks!", " Please explain.", " Please.", " Thank you.", " Tell me please.",
         " I am curious.", " I want to know.", " Be brief.", " Keep it short.")  # fmt: skip


QUESTION_WORDS = frozenset((
    "what", "which", "who", "whom", "where", "when", "why", "how", "is", "are", "can", "could",
    "do", "does", "may", "must", "will", "would", "am", "in", "has",
))  # fmt: skip


@dataclass
class Fact:
    """One thing the model knows."""

    names: list[str] = field(default_factory=list)
    kind: str = ""
    questions: list[str] = field(default_factory=list)
    short: str = ""
    answers: list[str] = field(default_factory=list)
    topic: str = ""


def parse(text: str, topic: str) -> list[Fact]:
    """Facts of one file."""
    facts = []
    for block in re.split(r"\n\s*\n", text):
        fact = Fact(topic=topic)
        for line in block.splitlines():
            mark, _, rest = line.partition(" ")
            if mark.startswith("@"):
                fact.kind, fact.names = mark[1:], [n.strip() for n in rest.split(";")]
            elif mark == "?":
                fact.questions.append(rest)
            elif mark == "=":
                fact.short = rest
            elif mark == "!":
                fact.answers.append(rest)
        if fact.answers:
            facts.append(fact)
    return facts


@cache
def load() -> tuple[Fact, ...]:
    """All facts, in file order."""
    files = sorted(Path(__file__).parent.glob("facts_*.txt"))
    return tuple(f for p in files for f in parse(p.read_text(), p.stem.removeprefix("facts_")))


@cache
def load_more() -> tuple[Fact, ...]:
    """All facts with the additional questions, in the order of `load`."""
    text = (Path(__file__).parent / "more_questions.txt").read_text()
    found = {f.answers[0]: f for f in load()}
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if line[:1] in (">", "?")]
        if not lines:
            continue
        (key,) = [a for a in found if a.startswith(lines[0][2:])]
        more = [line[2:] for line in lines[1:]]
        found[key] = replace(found[key], questions=found[key].questions + more)
    return tuple(found.values())


def expand(pattern: str, rng: Random) -> str:
    """Resolve every `{a|b}` of a pattern and tidy the spaces."""
    while match := CHOICE.search(pattern):
        pick = rng.choice(match.group(1).split("|"))
        pattern = pattern[: match.start()] + pick + pattern[match.end() :]
    return re.sub(r"\s+", " ", pattern).strip()


def framed(name: str, kind: str, rng: Random) -> str:
    """A generic question about a named thing."""
    word = name.split()[-1]
    bare = not name.startswith(("a ", "an "))
    plural = kind == "+" or (bare and word.endswith("s") and word not in SINGULAR_S)
    frames: tuple[str, ...] = FRAMES
    if rng.random() < 0.3:
        frames = ROLE if kind == "r" else THING
    frame = rng.choice(frames)
    if plural:
        frame = frame.replace("does {np}", "do {np}").replace("does the term {np}", "does {np}")
    np = name if rng.random() < 0.9 else name.removeprefix("the ").removeprefix("a ")
    text = frame.format(np=np, be="are" if plural else "is", do="do" if plural else "does",
                        pro="they" if plural else "it")  # fmt: skip
    return text[0].upper() + text[1:] if frame.startswith("{") else text


def core(fact: Fact, rng: Random) -> str:
    """A question about `fact`, before surface noise."""
    named = bool(fact.names) and (not fact.questions or rng.random() < 0.5)
    if named:
        return framed(rng.choice(fact.names), fact.kind, rng)
    text = expand(rng.choice(fact.questions), rng)
    if text[-1] not in "?!." and text.split()[0].lower() in QUESTION_WORDS:
        text += "?"
    return text


def surface(text: str, rng: Random) -> str:
    """Add the noise of real users: openings, closings, case, punctuation, a typo."""
    roll = rng.random()
    if roll < 0.14:
        head = text[:1].lower() if text.split()[0].lower() in QUESTION_WORDS else text[:1]
        text = rng.choice(BEFORE) + (head if rng.random() < 0.6 else text[:1]) + text[1:]
    elif roll < 0.22:
        text = text if text[-1] in "?!." else text + "."
        text += rng.choice(AFTER)
    roll = rng.random()
    if roll < 0.18:
        text = text.lower()
    if rng.random() < 0.18:
        text = text.rstrip("?.! ")
    if rng.random() < 0.03:
        text = text.rstrip("?.! ") + "?"
    if rng.random() < 0.04 and len(text) > 12:
        at = rng.randrange(3, len(text) - 2)
        if text[at].isalpha() and text[at + 1].isalpha():
            text = text[:at] + (text[at + 1] + text[at] if roll > 0.6 else "") + text[at + 2 :]
    return text


def terse(text: str, rng: Random) -> str:
    """Sometimes leave words out, as people do who type keywords or write carelessly."""
    words = text.rstrip("?.!").split()
    roll = rng.random()
    if roll > 0.2 or len(words) < 4:
        return text
    if roll < 0.08:
        kept = [w for w in words if w.lower() not in FILLERS]
    else:
        kept = [w for w in words if w.lower() not in FILLERS or rng.random() < 0.7]
    return " ".join(kept) if len(kept) > 1 else text


FILLERS = frozenset((
    "what", "is", "are", "the", "a", "an", "of", "do", "does", "i", "in", "to", "me", "can", "you",
    "how", "for", "my", "tell", "explain", "about", "please", "it", "be",
))  # fmt: skip


def answer(fact: Fact, rng: Random) -> str:
    """A full answer."""
    return expand(rng.choice(fact.answers), rng)
