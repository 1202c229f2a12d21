"""Small arithmetic and format-following tasks, each made from a seeded random source.

Carrying sums are worked digit by digit in the answer, which small decoders learn far better than
a bare result (Nye et al. 2021, "Show your work").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

WORDS = (
    "apple river stone cloud green tiger music table light water bread horse night ocean paper "
    "silver garden winter summer yellow orange lemon banana cherry planet rocket forest island "
    "bridge castle candle mirror window pencil coffee sugar butter pepper ticket market doctor "
    "teacher farmer sailor dragon monkey rabbit turtle eagle spider flower branch desert valley "
    "thunder rain snow wind fire earth gold iron copper glass cotton wood house door roof chair "
    "lamp clock phone radio train truck plane boat road city town village king queen knight "
    "prince story poem song dance game ball kite drum bell flute piano red blue white black pink "
    "brown cat dog cow pig hen fox wolf bear lion fish bird tree leaf root seed grass moon sun "
    "star sky sand wave lake hill hello yes no router token stake proof batch block model prompt "
    "chain ledger hash tier fee node network wallet layer key price job pool score vote"
)
POOL = WORDS.split()
NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Tom", "Lena", "Max", "Sara", "I")
ITEMS = ("apples", "tokens", "coins", "books", "cards", "jobs", "GPUs", "balls", "pens", "stamps")
NUMBER = ("one", "two", "three", "four", "five", "six", "seven", "eight")
GAIN = "{n} {have} {a} {i} and {get} {b} more. How many {i} are there?"
LOSS = "{n} {have} {a} {i} and {give} away {b}. How many {i} are left?"
Task = tuple[str, str]


def _columns(a: int, b: int, sign: str) -> str:
    """The digit-by-digit work of a sum or difference (a >= b for a difference)."""
    steps, carry = [], 0
    for place in range(max(len(str(a)), len(str(b)))):
        x, y = a // 10**place % 10, b // 10**place % 10
        if sign == "+":
            total = x + y + carry
            steps.append(f"{x} + {y}{' + 1' if carry else ''} = {total}")
            carry = total // 10
        else:
            x -= carry
            carry = int(x < y)
            x += 10 * carry
            steps.append(f"{x} - {y} = {x - y}")
    return ", ".join(steps)


def sum_answer(a: int, b: int, sign: str) -> str:
    """The answer to a + b or a - b: bare for easy cases, worked for the others."""
    result = a + b if sign == "+" else a - b
    line = f"{a} {sign} {b} = {result}."
    if (min(a, b) < 10 and max(a, b) < 100) or max(a, b) <= 20 or result < 0:
        return line
    return f"{_columns(a, b, sign)}. So {line}"


def arithmetic(rng: Random) -> Task:
    """One sum, difference or product."""
    kind = rng.choice("++--*")
    if kind == "*":
        a, b = rng.randint(0, 12), rng.randint(0, 12)
        ask = rng.choice(("What is {a} times {b}?", "{a} x {b}", "{a} * {b}", "{a}*{b} =",
                          "Multiply {a} by {b}.", "How much is {a} times {b}?",
                          "What is {a} * {b}?", "What is the product of {a} and {b}?",
                          "Calculate {a} x {b}.", "{a} times {b}?"))  # fmt: skip
        return ask.format(a=a, b=b), f"{a} x {b} = {a * b}."
    top = rng.choice((10, 20, 100, 100, 100, 1000, 1000))
    a, b = rng.randrange(top), rng.randrange(rng.choice((10, top, top)))
    if kind == "+":
        ask = rng.choice(("What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?",
                          "Add {a} and {b}.", "What is {a} plus {b}?", "How much is {a} + {b}?",
                          "Calculate {a} + {b}.", "What is the sum of {a} and {b}?",
                          "Compute {a} plus {b}.", "{a} plus {b}?", "Can you add {a} and {b}?",
                          GAIN))  # fmt: skip
    else:
        if a < b and (top > 20 or rng.random() < 0.7):
            a, b = b, a
        ask = rng.choice(("What is {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} =",
                          "What is {a} minus {b}?", "How much is {a} - {b}?",
                          "Calculate {a} - {b}.",
                          "Subtract {b} from {a}.", "Compute {a} minus {b}.", "{a} minus {b}?",
                          "What is the difference of {a} and {b}?", LOSS))  # fmt: skip
        if "left" in ask and a < b:
            a, b = b, a
    n = rng.choice(NAMES)
    me = n == "I"
    ask = ask.format(a=a, b=b, n=n, i=rng.choice(ITEMS), have="have" if me else "has",
                     get="get" if me else "gets", give="give" if me else "gives")  # fmt: skip
    return ask, sum_answer(a, b, kind)


def money(rng: Random) -> Task:
    """Fees of a job or the split of a slash, for round amounts."""
    hundreds = rng.randint(1, 20)
    x = hundreds * 100
    if rng.random() < 0.5:
        ask = rng.choice(("What are the fees on ${x}?", "I spend ${x}. What are the fees?",
                          "How much fee is taken from ${x}?",
                          "Fees for a job of ${x}?"))  # fmt: skip
        part = f"{hundreds * 3 // 2}{'.50' if hundreds % 2 else ''}"
        return ask.format(x=x), f"${part} for the router and ${part} for the protocol."
    ask = rng.choice(("How is a slash of {x} INFR split?", "{x} INFR are slashed. Who gets what?",
                      "Split a slash of {x} INFR.",
                      "A provider loses {x} INFR. Who gets it?"))  # fmt: skip
    big, small = x * 2 // 5, x // 5
    return ask.format(x=x), (f"{big} INFR to the developer, {big} INFR to the challenger, "
                             f"and {small} INFR are burned.")  # fmt: skip


def _words(rng: Random, low: int, high: int) -> list[str]:
    return rng.sample(POOL, rng.randint(low, high))


def repeat(rng: Random) -> Task:
    """Say a word n times."""
    n, word = rng.randint(2, 8), rng.choice(POOL)
    count = rng.choice((str(n), NUMBER[n - 1]))
    ask = rng.choice(("Repeat the word {w} {n} times.", "Say {w} {n} times.",
                      "Write {w} {n} times.",
                      "Repeat {w} {n} times.", "Please say {w} {n} times.",
                      "Print the word {w} {n} times."))  # fmt: skip
    return ask.format(w=word, n=count), " ".join([word] * n)


def count(rng: Random) -> Task:
    """Count up or down."""
    n = rng.randint(3, 20)
    if rng.random() < 0.65:
        ask = rng.choice(("Count to {n}.", "Count from 1 to {n}.", "Can you count to {n}?",
                          "Write the numbers from 1 to {n}.",
                          "Please count up to {n}."))  # fmt: skip
        return ask.format(n=n), ", ".join(map(str, range(1, n + 1)))
    n = min(n, 12)
    ask = rng.choice(("Count down from {n}.", "Count backwards from {n}.", "Count from {n} to 1."))
    return ask.format(n=n), ", ".join(map(str, range(n, 0, -1)))


def order(rng: Random) -> Task:
    """Sort or reverse a short list."""
    kind = rng.choice(("sort", "sort", "down", "alpha", "reverse", "reverse"))
    if kind == "alpha":
        items = _words(rng, 3, 4)
        ask = rng.choice(("Sort these words: {x}.", "Sort alphabetically: {x}",
                          "Put these words in alphabetical order: {x}."))  # fmt: skip
        return ask.format(x=", ".join(items)), ", ".join(sorted(items))
    digits = kind != "reverse" or rng.random() < 0.4
    if digits:
        items = [str(n) for n in rng.sample(range(1, rng.choice((10, 100))), rng.randint(3, 5))]
    else:
        items = _words(rng, 3, 5)
    if kind == "reverse":
        out = items[::-1]
        ask = rng.choice(("Reverse this list: {x}.", "Reverse: {x}", "Reverse the order of {x}.",
                          "Write this list backwards: {x}."))  # fmt: skip
    elif kind == "down":
        out = sorted(items, key=int, reverse=True)
        ask = rng.choice(("Sort from largest to smallest: {x}", "Sort descending: {x}",
                          "Sort these numbers in descending order: {x}."))  # fmt: skip
    else:
        out = sorted(items, key=int)
        ask = rng.choice(("Sort these numbers: {x}.", "Sort: {x}", "Sort the list {x}.",
                          "Sort from smallest to largest: {x}", "Put in order: {x}"))  # fmt: skip
    return ask.format(x=", ".join(items)), ", ".join(out)


def words(rng: Random) -> Task:
    """Upper case, copying, first and last item, counting items, larger number."""
    kind = rng.randrange(7)
    items = _words(rng, 1, 4)
    text, row = " ".join(items), ", ".join(items)
    if kind < 2:
        ask = rng.choice(("Write {x} in upper case.", "Write in capital letters: {x}",
                          "Make this upper case: {x}", "Put {x} in uppercase.",
                          "Uppercase: {x}"))  # fmt: skip
        return ask.format(x=text), text.upper()
    if kind == 2:
        ask = rng.choice(
            ("Write {x} in lower case.", "Make this lower case: {x}", "Lowercase: {x}")
        )
        return ask.format(x=text.upper()), text
    if kind == 3:
        ask = rng.choice(("Repeat after me: {x}", "Say exactly: {x}", "Say: {x}", "Echo: {x}"))
        return ask.format(x=text), text
    if kind == 4:
        a, b = rng.sample(range(1, 1000), 2)
        ask = rng.choice(("Which is larger, {a} or {b}?", "Which number is bigger: {a} or {b}?"))
        return ask.format(a=a, b=b), str(max(a, b))
    if kind == 5:
        first = rng.random() < 0.5
        ask = f"What is the {'first' if first else 'last'} word of this list: {row}?"
        return ask, items[0] if first else items[-1]
    return f"How many words are in this list: {row}?", str(len(items))


LISTS = {
    "roles in INFERA": "developers|providers|routers",
    "verification tiers": "TEE|optimistic|zkML",
    "INFERA contracts": "StakeRegistry|JobRegistry|PaymentVault",
    "supported models": "Llama 3.1|Mixtral|Qwen 2.5",
    "inference runtimes": "vLLM|TGI|SGLang",
    "layers of INFERA": "settlement|coordination|execution",
    "uses of INFR": "staking|slashing collateral|governance",
    "chains": "Base|Arbitrum|Optimism", "TEE vendors": "NVIDIA|AMD|Intel",
    "hard problems": "verifiability|latency|developer experience",
    "GPUs": "RTX 4090|A100|H100", "hardware tiers": "consumer|prosumer|datacenter",
    "similar projects": "Akash|Render|Bittensor", "colors": "red|green|blue",
    "fruits": "apple|banana|cherry", "animals": "cat|dog|horse",
    "risks": "TEE compromise|contract bugs|price wars",
    "reasons for Base": "low fees|Ethereum security|EVM compatibility",
}  # fmt: skip


def listing(rng: Random) -> Task:
    """Three things, as a comma list, bullets, numbers or JSON."""
    name = rng.choice(list(LISTS))
    items = LISTS[name].split("|")
    ask = rng.choice(("Name three {x}", "List three {x}", "Give me three {x}", "Three {x} please",
                      "Tell me three {x}", "Write a list of three {x}"))  # fmt: skip
    style, tail = rng.choice((("comma", ""), ("comma", ""), ("bullet", " as bullet points"),
                              ("bullet", " as a list with dashes"),
                              ("number", " as a numbered list"),
                              ("number", ", numbered"), ("json", " as JSON"),
                              ("json", " as a JSON list")))  # fmt: skip
    out = {
        "comma": ", ".join(items),
        "bullet": "\n".join(f"- {i}" for i in items),
        "number": "\n".join(f"{n}. {i}" for n, i in enumerate(items, 1)),
        "json": json.dumps(items),
    }[style]
    return ask.format(x=name) + tail + rng.choice((".", "", ".")), out


FORMATS = (repeat, count, order, order, words, words, listing)


def formatted(rng: Random) -> Task:
    """One format-following task."""
    return rng.choice(FORMATS)(rng)
