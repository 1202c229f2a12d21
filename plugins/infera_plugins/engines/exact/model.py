"""A loaded model and one generation on it: what the engine's worker threads run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from infera.errors import EngineError
from infera.protocol.jobs import token_commitment
from infera.types import Completion, Delta, FinishReason, JobRequest, ModelInfo, TokenLogprob
from infera_ext.ca1 import Ca1Error, Model, Session
from infera_plugins.engines.exact.architecture import read_architecture
from infera_plugins.engines.exact.generation_config import read_sampling
from infera_plugins.engines.exact.manifest import build_manifest, model_id
from infera_plugins.engines.exact.sampler import Floats, Sampler, log_probabilities
from infera_plugins.engines.exact.tokenizer import Detokenizer, StopFilter, Tokenizer
from infera_plugins.engines.exact.weights import load, map_weights

if TYPE_CHECKING:
    from pathlib import Path

_PREFILL = 96


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory."""

    info: ModelInfo
    tokenizer: Tokenizer
    model: Model
    eos: frozenset[int]


def load_model(folder: Path, name: str, *, twin: bool = False) -> Loaded:
    """Read, check, hash and pack a Hugging Face folder."""
    if not folder.is_dir():
        raise EngineError(f"{folder} is no folder", hint="`path` names a Hugging Face model folder")
    arch = read_architecture(folder)
    tokenizer = Tokenizer(folder)
    weights = map_weights(folder)
    model = load(arch, weights, twin=twin)
    manifest = build_manifest(folder, arch, weights.files, model.shape.format, tokenizer.template)
    sampling = read_sampling(folder)
    info = ModelInfo(name, model_id(manifest), arch.context, manifest, sampling)
    return Loaded(info, tokenizer, model, frozenset(arch.eos))


class Generation:
    """One request's tokens.

    A delta goes out with the token that completes its text, whatever the timing: so the point
    where a client left can be found again by running the request again.
    """

    def __init__(
        self, loaded: Loaded, request: JobRequest, prompt: tuple[int, ...], threads: int
    ) -> None:
        room = loaded.info.context_length - len(prompt)
        self._limit = room if request.max_tokens is None else min(request.max_tokens, room)
        self._loaded = loaded
        self._request = request
        self._prompt = prompt
        self._threads = threads
        self._session: Session | None = None
        self._fed = 0
        self._logits: Floats | None = None
        self._sampler = Sampler(request.sampling, request.seed or 0)
        self._counts: Counter[int] = Counter()
        self._detokenizer = Detokenizer(loaded.tokenizer)
        self._stops = StopFilter(request.stop)
        self._output: list[int] = []
        self._text: list[str] = []
        self._tokens: list[int] = []  # since the last delta, as are the logprobs
        self._logprobs: list[TokenLogprob] = []

    def step(self, budget_s: float) -> list[Delta | Completion]:
        """Work for up to `budget_s`, or until the first token is out. Raises `EngineError`."""
        started = monotonic()
        told: list[Delta | Completion] = []
        try:
            while True:
                if self._logits is None:
                    self._prefill()
                else:
                    told += self._advance()
                if told and isinstance(told[-1], Completion):
                    self.close()
                    return told
                if monotonic() - started >= budget_s or (told and len(self._output) == 1):
                    return told
        except Ca1Error as error:
            raise EngineError(f"model {self._loaded.info.name} failed: {error}") from error

    def close(self) -> None:
        """Give back the cache."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _prefill(self) -> None:
        if self._session is None:
            capacity = max(1, len(self._prompt) + self._limit)
            self._session = Session(self._loaded.model, capacity, self._threads)
        piece = self._prompt[self._fed : self._fed + _PREFILL]
        last = self._fed + len(piece) == len(self._prompt)
        result = self._session.forward(piece, logits=last)
        self._fed += len(piece)
        if result is not None:
            self._logits = np.frombuffer(result, dtype=np.float32)

    def _advance(self) -> list[Delta | Completion]:
        """Draw one token; the next logits are computed at once unless it was the last."""
        assert self._logits is not None
        assert self._session is not None
        token = self._sampler.pick(self._logits, len(self._output), self._counts)
        self._output.append(token)
        self._tokens.append(token)
        if token in self._loaded.eos:
            return self._finish(FinishReason.STOP)
        self._counts[token] += 1
        if self._request.logprobs is not None:
            self._logprobs.append(self._logprob(token, self._request.logprobs))
        text, stopped = self._stops.feed(self._detokenizer.add(token))
        told: list[Delta | Completion] = self._tell(text) if text else []
        if stopped:
            return told + self._finish(FinishReason.STOP, cut=True)
        if len(self._output) >= self._limit:
            return told + self._finish(FinishReason.LENGTH)
        self._logits = np.frombuffer(self._session.forward((token,)), dtype=np.float32)
        return told

    def _logprob(self, token: int, best: int) -> TokenLogprob:
        assert self._logits is not None
        piece = self._loaded.tokenizer.piece
        chosen, likeliest = log_probabilities(self._logits, token, best)
        return TokenLogprob(piece(token), chosen, tuple((piece(i), p) for i, p in likeliest))

    def _tell(self, text: str) -> list[Delta | Completion]:
        self._text.append(text)
        delta = Delta(text, tuple(self._tokens), tuple(self._logprobs))
        self._tokens, self._logprobs = [], []
        return [delta]

    def _finish(self, why: FinishReason, *, cut: bool = False) -> list[Delta | Completion]:
        """The rest of the text, unless a stop string cut it, and the end."""
        told: list[Delta | Completion] = []
        rest = ""
        if not cut:
            rest, stopped = self._stops.feed(self._detokenizer.flush())
            if stopped:
                why = FinishReason.STOP
            else:
                rest += self._stops.flush()
        if rest or self._tokens:
            told += self._tell(rest)
        output = tuple(self._output)
        commitment = token_commitment(self._prompt, output)
        told.append(Completion(why, "".join(self._text), self._prompt, output, commitment))
        return told
