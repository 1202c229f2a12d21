"""Train the tokenizer: byte-level BPE, single digits, and the chat markers.

Byte-level BPE (Radford et al. 2019) starts from all 256 bytes, so no text is unknown and any
UTF-8 round-trips. Numbers are cut into digits, which makes arithmetic learnable.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jinja2 import Environment
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .corpus.mix import Message, Mixer

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
SPECIAL = (BEGIN, END, PAD, *ROLES)
TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] in ['system', 'developer'] %}{{ '<|system|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' }}"
    "{% else %}{{ '<|user|>' }}{% endif %}"
    "{{ message['content'] }}{{ '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def ident(tok: Tokenizer, piece: str) -> int:
    """Id of a marker, which every tokenizer trained here has."""
    number = tok.token_to_id(piece)
    if number is None:
        raise ValueError(f"the tokenizer lacks {piece}")
    return number


def train(size: int, seed: int, conversations: int = 30000) -> Tokenizer:
    """A tokenizer of `size` entries, learned from freshly drawn conversations."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    mixer = Mixer(seed)
    drawn = (mixer.conversation() for _ in range(conversations))
    tok.train_from_iterator((m["content"] for talk in drawn for m in talk), trainer)
    return tok


def render(messages: list[Message], prompt: bool = True) -> str:
    """The chat template, as the shipped `tokenizer_config.json` states it."""
    template = Environment(autoescape=False).from_string(TEMPLATE)  # noqa: S701 - not HTML
    return template.render(messages=messages, bos_token=BEGIN, add_generation_prompt=prompt)


def encode(tok: Tokenizer, talk: list[Message]) -> tuple[list[int], list[int]]:
    """Token ids of a conversation, and a mask that is 1 on what the assistant must produce."""
    ids, mask = [ident(tok, BEGIN)], [0]
    end = ident(tok, END)
    for message in talk:
        body = tok.encode(message["content"], add_special_tokens=False).ids
        mine = int(message["role"] == "assistant")
        ids += [ident(tok, f"<|{message['role']}|>"), *body, end]
        mask += [0, *[mine] * (len(body) + 1)]
    return ids, mask


def save(tok: Tokenizer, folder: Path, context: int) -> None:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tok.save(str(folder / "tokenizer.json"))
    names = {"bos_token": BEGIN, "eos_token": END, "pad_token": PAD}
    config = {
        **names,
        "additional_special_tokens": list(ROLES),
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": TEMPLATE,
    }
    _write(folder / "tokenizer_config.json", config)
    _write(folder / "special_tokens_map.json", {**names, "additional_special_tokens": list(ROLES)})


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
