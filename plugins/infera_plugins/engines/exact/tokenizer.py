"""Text to token ids and back: the folder's tokenizer, its chat template, and streamed text."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer as Backend

from infera.errors import EngineError, RequestError
from infera_plugins.engines.exact.architecture import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infera.types import JobRequest

_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")
_UNFINISHED = "\ufffd"
_STAND_IN = re.compile("\ue000([0-9]+)\ue001")


class Tokenizer:
    """Encodes requests and decodes outputs. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        try:
            self.backend = Backend.from_file(str(path))
        except Exception as error:  # the binding raises bare Exception
            raise EngineError(f"cannot load {path}: {error}") from error
        self.backend.no_truncation()
        self.backend.no_padding()
        added = self.backend.get_added_tokens_decoder().values()
        self._markers = tuple(token.content for token in added if token.special)
        side = folder / "tokenizer_config.json"
        settings = read_json(side) if side.exists() else {}
        self.template = _chat_template(folder, settings)
        self._special = {k: _token_text(settings[k]) for k in _SPECIAL if settings.get(k)}
        self._render = None
        if self.template is not None:
            try:
                self._render = _environment().from_string(self.template).render
            except TemplateError as error:
                raise EngineError(f"the chat template in {folder} is broken: {error}") from error

    def encode(self, request: JobRequest) -> tuple[int, ...]:
        """Prompt ids; `RequestError` where the request cannot be rendered."""
        if request.kind == "completion":
            return tuple(self.backend.encode(request.prompt).ids)
        if self._render is None:
            raise RequestError(
                f"Model {request.model} has no chat template; use completions.",
                code="chat_unsupported",
                param="messages",
            )
        contents = [m.content for m in request.messages]
        if not any(marker in content for content in contents for marker in self._markers):
            return self._ids(self.backend, self._rendered(request, contents))
        # A message that spells out a marker must not open a turn of its own: it is encoded apart.
        rendered = self._rendered(request, [f"\ue000{i}\ue001" for i in range(len(contents))])
        ids: list[int] = []
        for i, piece in enumerate(_STAND_IN.split(rendered)):
            text = contents[int(piece)] if i % 2 else piece
            ids += self._ids(self._plain if i % 2 else self.backend, text)
        return tuple(ids)

    @cached_property
    def _plain(self) -> Backend:
        """The same tokenizer, to which markers are text like any other."""
        backend = Backend.from_str(self.backend.to_str())
        backend.encode_special_tokens = True
        return backend

    @staticmethod
    def _ids(backend: Backend, text: str) -> tuple[int, ...]:
        return tuple(backend.encode(text, add_special_tokens=False).ids)

    def _rendered(self, request: JobRequest, contents: Sequence[str]) -> str:
        pairs = zip(request.messages, contents, strict=True)
        messages = [{"role": m.role, "content": content} for m, content in pairs]
        assert self._render is not None
        try:
            return self._render(messages=messages, add_generation_prompt=True, **self._special)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise RequestError(
                f"The model's chat template refuses these messages: {error}",
                code="template_failed",
                param="messages",
            ) from error

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an output, special tokens left out."""
        return self.backend.decode(ids, skip_special_tokens=True)

    def piece(self, token: int) -> str:
        """One token as people may see it."""
        return self.backend.decode([token], skip_special_tokens=False)


class Detokenizer:
    """The text of a growing output, in whole characters; pieces joined equal `decode` of all ids.

    What an id means may depend on its neighbours (spaces, bytes of one character). So new ids are
    decoded together with the ids of the piece before, whose text is known and cut off again.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._window: list[int] = []
        self._before = 0  # how many ids of the window have given their text
        self._known = ""  # that text, decoded alone

    def add(self, token: int) -> str:
        """The text this token completes, perhaps none."""
        self._window.append(token)
        text = self._tokenizer.decode(self._window)
        if len(text) <= len(self._known) or text.endswith(_UNFINISHED):
            return ""
        piece = text[len(self._known) :]
        self._window = self._window[self._before :]
        self._before = len(self._window)
        self._known = self._tokenizer.decode(self._window)
        return piece

    def flush(self) -> str:
        """What is left at the end, unfinished characters as U+FFFD."""
        return self._tokenizer.decode(self._window)[len(self._known) :]


class StopFilter:
    """Cuts text at the earliest stop string and never lets a beginning of one out too early."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(s for s in stops if s)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """Text that may go out, and whether a stop string was found after it."""
        self._held += text
        hits = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if hits:
            out, self._held = self._held[: min(hits)], ""
            return out, True
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        out, self._held = self._held[:cut], self._held[cut:]
        return out, False

    def flush(self) -> str:
        """What was held back, at the end of the output."""
        out, self._held = self._held, ""
        return out


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return size
    return 0


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _token_text(value: object) -> str:
    return str(value["content"]) if isinstance(value, dict) else str(value)


def _environment() -> ImmutableSandboxedEnvironment:
    """As `transformers` sets it up, without the clock: a prompt must not depend on the date."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = tojson
    return environment
