"""The bytes a client of the OpenAI API receives, made once, here; the router passes them on unread.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/completions/object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.types import FinishReason, JobRequest, TokenLogprob


class AnswerWriter:
    """Serialises one job's answer. `created` in UTC seconds."""

    def __init__(self, request: JobRequest, job_id: str, created: int) -> None:
        self._chat = request.kind == "chat"
        self._logprobs = request.logprobs is not None
        self._offset = 0
        # Streamed and whole answers name their object type differently in the chat API only.
        self._base = {
            "id": ("chatcmpl-" if self._chat else "cmpl-") + job_id,
            "created": created,
            "model": request.model,
        }
        self._chunk_type = "chat.completion.chunk" if self._chat else "text_completion"
        self._whole_type = "chat.completion" if self._chat else "text_completion"

    def opening(self) -> bytes:
        """The first SSE event of a chat stream (the role); nothing for completions."""
        return (
            self._event({"role": "assistant", "content": ""}, "", None, ()) if self._chat else b""
        )

    def piece(self, text: str, logprobs: Sequence[TokenLogprob]) -> bytes:
        """One SSE event with a piece of the answer."""
        return self._event({"content": text}, text, None, logprobs)

    def last(self, finish: FinishReason) -> dict[str, Any]:
        """The event that carries the finish reason, as an object: the router adds the receipt to
        it.
        """
        return self._chunk({}, "", finish, ())

    def usage_chunk(self, tokens_in: int, tokens_out: int) -> dict[str, Any]:
        """The event of `stream_options.include_usage`."""
        return {
            **self._base,
            "object": self._chunk_type,
            "choices": [],
            "usage": _usage(tokens_in, tokens_out),
        }

    def whole(
        self,
        text: str,
        finish: FinishReason,
        tokens_in: int,
        tokens_out: int,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": finish.openai,
            "logprobs": self._render(logprobs, 0) if self._logprobs else None,
        }
        if self._chat:
            choice["message"] = {"role": "assistant", "content": text, "refusal": None}
        else:
            choice["text"] = text
        return {
            **self._base,
            "object": self._whole_type,
            "choices": [choice],
            "usage": _usage(tokens_in, tokens_out),
        }

    def _chunk(
        self,
        delta: dict[str, Any],
        text: str,
        finish: FinishReason | None,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": None if finish is None else finish.openai,
            "logprobs": self._render(logprobs, self._offset)
            if self._logprobs and logprobs
            else None,
        }
        if self._chat:
            choice["delta"] = delta
        else:
            choice["text"] = text
        self._offset += len(text)
        return {**self._base, "object": self._chunk_type, "choices": [choice]}

    def _event(
        self,
        delta: dict[str, Any],
        text: str,
        finish: FinishReason | None,
        logprobs: Sequence[TokenLogprob],
    ) -> bytes:
        return b"data: " + orjson.dumps(self._chunk(delta, text, finish, logprobs)) + b"\n\n"

    def _render(self, entries: Sequence[TokenLogprob], offset: int) -> dict[str, Any]:
        if self._chat:
            return {
                "content": [
                    {
                        **_token(e.token, e.logprob),
                        "top_logprobs": [_token(token, value) for token, value in e.top],
                    }
                    for e in entries
                ],
                "refusal": None,
            }
        offsets = []
        for e in entries:
            offsets.append(offset)
            offset += len(e.token)
        return {
            "tokens": [e.token for e in entries],
            "token_logprobs": [e.logprob for e in entries],
            "top_logprobs": [dict(e.top) for e in entries],
            "text_offset": offsets,
        }


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode("utf-8", "surrogateescape")),
    }


def _usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
