"""Runs `infera` in this process, and small HTTP servers for it to talk to."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from infera.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def infera(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, infera_home: Path
) -> Callable[..., Outcome]:
    """`infera("keys", "list")` with an empty home."""
    monkeypatch.setenv("INFERA_HOME", str(infera_home))

    def call(*args: str) -> Outcome:
        code = 0
        try:
            main(list(args))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@dataclass
class Server:
    """Answers by path; remembers what it was sent."""

    url: str
    answers: dict[str, Any]
    posted: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, Any]], Server]]:
    """`serve({"/path": answer})`; an answer is JSON, a function of the body, or (status, JSON)."""
    with _servers() as start:
        yield start


@contextmanager
def _servers() -> Iterator[Callable[[dict[str, Any]], Server]]:
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(answers: dict[str, Any]) -> Server:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.posted.append((self.path, body))
                self._answer(body)

            def _answer(self, body: Any) -> None:
                answer = server.answers.get(
                    self.path, (404, {"error": {"message": "nothing here"}})
                )
                answer = answer(body) if callable(answer) else answer
                status, data = answer if isinstance(answer, tuple) else (200, answer)
                raw = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server = Server(f"http://127.0.0.1:{http.server_port}", answers)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        running.append((http, thread))
        return server

    try:
        yield start
    finally:
        for http, thread in running:
            http.shutdown()
            thread.join()
            http.server_close()
