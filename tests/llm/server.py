"""A language model's server for tests: real HTTP on loopback, and faults as they happen.

It speaks OpenAI's chat completions with tool calls, JSON schemas, JSON objects and plain text, and
gives answers to the agents' questions that pass every check, with the joints it finds in the
question. By hand or from a test: ``python tests/llm/server.py --faults 0.3`` prints its port.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = (
    "rate_limit",
    "server_error",
    "reset",
    "stall",
    "truncated",
    "cut",
    "malformed",
    "wrong_schema",
    "out_of_range",
    "all_joints",
    "refusal",
    "refusal_field",
    "filtered",
    "long_sentence",
    "empty",
    "unauthorized",
    "no_model",
    "quota",
    "forbidden",
    "half_thoughts",
    "arguments_as_object",
    "arguments_twice_encoded",
    "surrogate",
    "endless",
)
_LASTING = (
    "stall",
    "unauthorized",
    "no_model",
    "quota",
    "forbidden",
    "half_thoughts",
    "arguments_as_object",
    "arguments_twice_encoded",
    "surrogate",
    "endless",
)
RANDOM = tuple(fault for fault in FAULTS if fault not in _LASTING)
"""Faults that come about by chance; of the others one is enough for a whole run."""
OUTPUTS = ("tool", "json_schema", "json_object", "text")

_BODY = {
    "head": "The head keeps still and looks ahead.",
    "hand": "One hand rises to the level of the shoulder and swings sideways.",
    "arm": "The arm lifts forward, bends and straightens again.",
    "hip": "The hips keep still.",
    "leg": "The legs keep still.",
    "foot": "The feet stay on the floor.",
}
_CLAIM = {"side": "right", "part": "hand", "feature": "speed", "direction": "more", "rival": ""}
_SENTENCE = "One hand rises in front of the chest, swings sideways a few times and sinks again."
_THOUGHTS = "I can't tell {which} of [them] it is. Labels 8 and 10, then."
_REFUSAL = "I'm sorry, but I can't assist with that request."


@dataclass
class Script:
    """What the server does; tests change it while it runs.

    Args:
        faults: Faults of the next requests, in order; None for a good answer.
        chance: Probability of a random fault once the script has run out.
        always: A fault of every request.
        latency: Seconds until an answer.
        stall: Seconds for which a stalled body hangs.
        retry_after: What a 429 asks to wait, in seconds.
        outputs: Forms of output the server can do.
        unable: Status with which it answers the others; 0 ignores the form and answers in prose.
        echo: Whether error bodies repeat the request's headers.
        seed: Of the random faults.
    """

    faults: list[str | None] = field(default_factory=list)
    chance: float = 0.0
    always: str | None = None
    latency: float = 0.0
    stall: float = 5.0
    retry_after: float = 0.0
    outputs: tuple[str, ...] = OUTPUTS
    unable: int = 400
    echo: bool = False
    seed: int = 0


class Server(ThreadingHTTPServer):
    """The server, running in a thread of its own within ``with``."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = script or Script()
        self.requests: list[dict[str, Any]] = []
        self.done: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.random = random.Random(self.script.seed)
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""

    def next_fault(self) -> str | None:
        with self.lock:
            if self.script.faults:
                return self.script.faults.pop(0)
            if self.script.always or self.random.random() >= self.script.chance:
                return self.script.always
            return self.random.choice(RANDOM)

    def note(self, body: Mapping[str, Any], output: str, fault: str | None) -> None:
        """Remember a request: its body, never its headers."""
        with self.lock:
            self.requests.append({**body, "output": output})
            self.done[fault or "answered"] += 1

    def stats(self) -> dict[str, Any]:
        with self.lock:
            return {"requests": len(self.requests), "faults": dict(self.done)}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed, so that no test's output changes."""

    def do_GET(self) -> None:
        self._send(200, self.server.stats())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script, output, fault = self.server.script, output_of(body), self.server.next_fault()
        unable = output not in script.outputs
        self.server.note(body, output, "unable" if unable and script.unable else fault)
        self.server.stopped.wait(script.latency)
        if unable and script.unable:
            self._error(script.unable, f"{output} is not supported")
        elif not self._broken(fault):
            self._send(200, completion(body, "text" if unable else output, fault))

    def _broken(self, fault: str | None) -> bool:
        """Answer with a fault of the connection or an error status, if it is one of these."""
        script = self.server.script
        statuses = {
            "rate_limit": (429, "slow down", "rate_limit_exceeded"),
            "server_error": (500, "something broke", None),
            "unauthorized": (401, "incorrect API key", "invalid_api_key"),
            "forbidden": (403, "this key may not do that", None),
            "no_model": (404, "the model does not exist", "model_not_found"),
            "quota": (429, "you exceeded your quota", "insufficient_quota"),
        }
        if fault in statuses:
            status, message, code = statuses[fault]
            wait = {"Retry-After": f"{script.retry_after:g}"} if fault == "rate_limit" else {}
            self._error(status, message, code, wait)
        elif fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
        elif fault == "stall":
            self._head(200, 1000)
            self.wfile.write(b'{"id": ')
            self.wfile.flush()
            self.server.stopped.wait(script.stall)
            self.close_connection = True
        elif fault == "truncated":
            self._whole(200, b'{"id": "1", "object": "chat.comple')
        else:
            return False
        return True

    def _error(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if self.server.script.echo:
            message = f"{message}; your headers were {dict(self.headers)}"
        error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
        self._send(status, error, headers)

    def _send(
        self, status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self._whole(status, json.dumps(value).encode(), headers)

    def _whole(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, len(data), headers)
        self.wfile.write(data)

    def _head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(length),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()


def output_of(body: Mapping[str, Any]) -> str:
    """Return the form of output a request asks for."""
    if body.get("tools"):
        return "tool"
    return str((body.get("response_format") or {"type": "text"})["type"])


def completion(body: Mapping[str, Any], output: str, fault: str | None) -> dict[str, Any]:
    """Return a chat completion that answers a request, in a way that may be wrong."""
    messages = body["messages"]
    fields = answer(messages, schema_of(body), fault)
    text = plain(fields) if output == "text" else json.dumps(fields)
    if fault in ("malformed", "cut"):
        text = text[: len(text) // 2]
    if fault == "refusal":
        text, output = _REFUSAL, "text"
    if fault == "half_thoughts":
        text, output = f"{_THOUGHTS}\n</think>\n\n{text}", "text"
    if fault == "surrogate":
        text, output = "A hand rises \ud83d\x1b]0;title\x07 and\u2028sinks.", "text"
    if fault == "endless":
        text = text.replace(_SENTENCE, _SENTENCE * 25_000)
    message: dict[str, Any] = {"role": "assistant", "content": "" if fault == "empty" else text}
    reason = {"cut": "length", "filtered": "content_filter"}.get(fault or "", "stop")
    if fault == "refusal_field":
        message = {"role": "assistant", "content": None, "refusal": _REFUSAL}
    elif output == "tool" and fault != "empty":
        forms = {"arguments_as_object": fields, "arguments_twice_encoded": json.dumps(text)}
        name = body["tools"][0]["function"]["name"]
        call = {"name": name, "arguments": forms.get(fault or "", text)}
        message["content"] = None
        message["tool_calls"] = [{"id": "call-1", "type": "function", "function": call}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": _usage(messages, text),
    }


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the names and types of the fields that are asked for, if any are."""
    if body.get("tools"):
        return body["tools"][0]["function"]["parameters"]["properties"]
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return form["json_schema"]["schema"]["properties"]
    if form.get("type") == "json_object":
        told = " ".join(str(m["content"]) for m in body["messages"] if m["role"] == "system")
        found = re.search(r'\{"properties".*|\{.*"properties".*', told, re.DOTALL)
        if found:
            return json.JSONDecoder().raw_decode(found.group())[0]["properties"]
    return None


def answer(
    messages: list[Mapping[str, Any]], schema: Mapping[str, Any] | None, fault: str | None
) -> dict[str, Any]:
    """Return the fields of an answer."""
    asked = next(m["content"] for m in reversed(messages) if m["role"] == "user")
    names = set(schema) if schema is not None else _fields(asked)
    joints = _joints(messages)
    chosen = _chosen(joints, fault)
    long = " ".join(["slowly"] * 200) + "."
    sentence = long if fault == "long_sentence" else _SENTENCE
    if fault == "wrong_schema":
        return {"reply": sentence, "certainty": 0.9}
    if "head" in names:
        return dict(_BODY)
    if "difference" in names:
        return {
            "joints": [{"label": label, "name": name} for label, name in chosen],
            "difference": sentence,
            "claims": [dict(_CLAIM)],
        }
    if names == {"joints"}:
        return {"joints": _listed(chosen, schema, asked)}
    return {"sentence": sentence}


def plain(fields: Mapping[str, Any]) -> str:
    """Return an answer in plain text, as the questions' forms ask for it."""
    if "head" in fields:
        return "\n".join(f"{part.capitalize()}: {text}" for part, text in fields.items())
    if "difference" in fields:
        named = ", ".join(f"{j['label']}-{j['name']}" for j in fields["joints"])
        claims = "; ".join(" ".join(filter(None, claim.values())) for claim in fields["claims"])
        return f"Joints: {named}\nDifference: {fields['difference']}\nClaims: {claims}"
    if "joints" in fields:
        first = fields["joints"][0]
        if isinstance(first, int):
            return ", ".join(map(str, fields["joints"]))
        return "\n".join(f"{j['label']}-{j['name']}: {j['text']}" for j in fields["joints"])
    return str(next(iter(fields.values())))


def _fields(asked: str) -> set[str]:
    """Return the fields that a question in plain text is about."""
    if "Difference:" in asked:
        return {"joints", "difference", "claims"}
    if "Head: " in asked:
        return {"head"}
    if "label-name: text" in asked or "labels' numbers" in asked:
        return {"joints"}
    return {"sentence"}


def _listed(
    chosen: Iterable[tuple[int, str]], schema: Mapping[str, Any] | None, asked: str
) -> list[Any]:
    """Return joints as numbers, or with what each does."""
    if schema is not None:
        numbers = schema["joints"]["items"].get("type") == "integer"
    else:
        numbers = "label-name: text" not in asked
    if numbers:
        return [label for label, _ in chosen]
    text = "It moves up and to the side, then back."
    return [{"label": label, "name": name, "text": text} for label, name in chosen]


def _joints(messages: list[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Return the labels and names of the skeleton's joints, as the conversation lists them."""
    best: list[tuple[int, str]] = []
    for message in messages:
        if message["role"] != "user":
            continue
        for line in str(message["content"]).splitlines():
            found = re.findall(r"(\d+)-(.+?)(?=,\s*\d+-|[.\"]|:\s|$)", line)
            if len(found) > len(best):
                best = [(int(label), name.strip()) for label, name in found]
    return best


def _chosen(joints: list[tuple[int, str]], fault: str | None) -> list[tuple[int, str]]:
    if fault == "all_joints":
        return joints
    chosen = joints[3:7] or [(1, "joint")]
    return [*chosen, (99, "third elbow")] if fault == "out_of_range" else chosen


def _usage(messages: Iterable[Mapping[str, Any]], text: str) -> dict[str, int]:
    """Return numbers of tokens, for which words will do."""
    read = sum(len(str(message["content"]).split()) for message in messages)
    written = len(text.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve chat completions on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--faults", type=float, default=0.0, help="probability of a fault")
    parser.add_argument("--always", choices=FAULTS, help="a fault of every request")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--echo", action="store_true", help="repeat the headers in errors")
    given = parser.parse_args()
    script = Script(
        chance=given.faults,
        always=given.always,
        latency=given.latency,
        echo=given.echo,
        seed=given.seed,
    )
    server = Server(script, given.port)
    print(server.server_port, flush=True)  # noqa: T201 - whoever started it waits for this
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
