"""Stand-in of the Hugging Face Hub on loopback: repositories, uploads and downloads over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants

KEY = "hf_stand_in"
SHA = "0123456789abcdef0123456789abcdef01234567"


class StandIn:
    """Repositories in memory.

    Attributes:
        files: Content of each file, by repository and name.
        private: Whether each repository was made private.
        requests: Method and path of each request.
        cut: Number of downloads that are cut off in the middle.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.cut = 0
        self.endpoint = ""


class Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def answer(self, status: int, value: Any = None, **headers: str) -> None:
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def may(self) -> bool:
        """Return whether the key is right; answer that it is not."""
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self.answer(401, {"error": "Invalid credentials"}, WWW_Authenticate="Bearer")
        return False

    def path_parts(self) -> list[str]:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        return path.strip("/").split("/")

    def do_POST(self) -> None:
        parts, body = self.path_parts(), self.body()
        if not self.may():
            return
        if parts == ["api", "repos", "create"]:
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
            known = name in self.hub.files
            self.hub.files.setdefault(name, {})
            self.hub.private.setdefault(
                name, wanted.get("private") is True or wanted.get("visibility") == "private"
            )
            self.answer(409 if known else 200, {"url": f"{self.hub.endpoint}/{name}"})
        elif parts == ["api", "validate-yaml"]:
            self.answer(200, {"errors": [], "warnings": []})
        elif parts[-2] == "preupload":
            files = json.loads(body)["files"]
            self.answer(200, {"files": [
                {"path": file["path"], "shouldIgnore": False, "oid": None,
                 "uploadMode": "lfs" if file["path"].startswith("model.") else "regular"}
                for file in files
            ]})  # fmt: skip
        elif parts[-1] == "batch":
            href = f"{self.hub.endpoint}/objects/"
            objects = json.loads(body)["objects"]
            self.answer(200, {"transfer": "basic", "objects": [
                {**item, "actions": {"upload": {"href": href + item["oid"]}}} for item in objects
            ]})  # fmt: skip
        else:
            self.commit("/".join(parts[2:4]), body)

    def commit(self, name: str, body: bytes) -> None:
        for line in body.decode().splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                self.hub.files[name][value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                self.hub.files[name][value["path"]] = self.hub.objects[value["oid"]]
        url = f"{self.hub.endpoint}/{name}/commit/{SHA}"
        self.answer(200, {"success": True, "commitUrl": url, "commitOid": SHA})

    def do_PUT(self) -> None:
        parts, body = self.path_parts(), self.body()
        assert hashlib.sha256(body).hexdigest() == parts[-1]
        self.hub.objects[parts[-1]] = body
        self.answer(200)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = self.path_parts()
        if not self.may():
            return
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        files = self.hub.files.get(name)
        if files is None:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        elif parts[0] == "api":
            siblings = [{"rfilename": n, "size": len(c), "blobId": "0"} for n, c in files.items()]
            self.answer(200, {"id": name, "modelId": name, "sha": SHA, "siblings": siblings,
                              "private": True, "tags": [], "downloads": 0})  # fmt: skip
        elif parts[4] not in files:
            self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        else:
            self.send_file(files[parts[4]])

    def send_file(self, content: bytes) -> None:
        start = 0
        if given := self.headers.get("Range"):
            start = int(given.removeprefix("bytes=").partition("-")[0])
        part = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cut and len(part) > 4000:
            self.hub.cut -= 1
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
            return
        self.wfile.write(part)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve a stand-in for as long as something is tested; it knows LFS, and Xet not."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    disabled, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    try:
        yield hub
    finally:
        constants.HF_HUB_DISABLE_XET = disabled
        server.shutdown()
        server.server_close()
        thread.join()
