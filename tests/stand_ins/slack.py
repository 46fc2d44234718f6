"""A stand-in for Slack: a real HTTP server with the methods that a message needs, as strict as their documentation says.

``docs.slack.dev/reference/methods`` says what each method takes, answers and refuses. A page draws a channel (`page_of`).
"""

from __future__ import annotations

import html
import itertools
import json
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.stand_ins.address import own_address

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
SCOPES = frozenset({"files:write", "chat:write", "channels:read", "groups:read"})
ID = re.compile(r"[CGDZ][A-Z0-9]{8,}")


class Refused(Exception):
    """``ok: false`` with this error, as Slack says it: with the status 200."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


@dataclass
class Channel:
    """A channel."""

    id: str
    name: str
    private: bool = False
    joined: bool = True
    archived: bool = False


@dataclass
class Upload:
    """A file on its way."""

    id: str
    name: str
    length: int
    content: bytes | None = None
    completed: bool = False


@dataclass
class Message:
    """What was shown in a channel."""

    channel: str
    text: str
    files: list[Upload] = field(default_factory=list)


@dataclass
class Answer:
    """What a test wants answered, in place of what is asked for or, if `done`, after it is done."""

    method: str
    status: int
    body: str
    headers: dict[str, str]
    times: int
    done: bool


class SlackStandIn:
    """One workspace of Slack.

    Parameters
    ----------
    tokens
        Those that it takes.
    real_pods
        Whether it must be reached from beyond this machine.

    Attributes
    ----------
    requests
        The methods that were called.
    messages
        What was shown, in order.
    scopes
        Those of the app.
    hang
        Methods that are not answered until the test is over; with `drip`, byte by byte and never whole.
    slow
        Methods that take so many seconds.
    """

    def __init__(
        self, tokens: tuple[str, ...] = ("xoxb-1111-abcdefghijkl", "xoxp-2222-typed"), real_pods: bool = False
    ) -> None:
        self.tokens = tokens
        self.token = tokens[0]
        self.scopes = set(SCOPES)
        self.requests: list[str] = []
        self.messages: list[Message] = []
        self.hang: set[str] = set()
        self.drip = False
        self.slow: dict[str, float] = {}
        self.page_size = 2
        self.channels = [
            Channel("C0000000001", "general"),
            Channel("C0000000002", "random", joined=False),
            Channel("C0000000003", "old", archived=True),
            Channel("C0000000004", "reports"),
            Channel("G0000000005", "private-team", private=True),
            Channel("G0000000006", "others-private", private=True, joined=False),
        ]
        self._uploads: dict[str, Upload] = {}
        self._answers: list[Answer] = []
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._closed = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                stand_in._handle(self)

            do_GET = do_POST = _answer

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("0.0.0.0" if real_pods else "127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        host = own_address() if real_pods else "127.0.0.1"
        self.url = f"http://{host}:{self._server.server_port}/"
        self.base_url = f"{self.url}api/"

    def __enter__(self) -> SlackStandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    # What tests do to it

    def answer(
        self,
        method: str,
        status: int,
        body: Any = "",
        times: int = 1,
        done: bool = False,
        **headers: str,
    ) -> None:
        """Answer the next calls of a method so; header names are given with ``_`` for ``-``."""
        text = body if isinstance(body, str) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(Answer(method, status, text, named, times, done))

    def page_of(self, channel: str) -> str:
        """Return the address of a page that draws a channel."""
        return f"{self.url}archives/{channel}"

    # HTTP

    def _handle(self, http: BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(http.path)
        body = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        kind, _, rest = parts.path.strip("/").partition("/")
        method = rest if kind == "api" else kind
        with self._lock:
            self.requests.append(method)
        time.sleep(self.slow.get(method, 0))
        if method in self.hang:
            if self.drip:
                self._drip(http)
            self._closed.wait()
            return
        asked = self._asked(method)
        answer: str | bytes
        try:
            if asked and not asked.done:
                answer = asked.body
            elif kind == "api":
                answer = json.dumps(self._call(method, http, parts.query, body))
            elif kind == "upload":
                answer = self._upload(rest, http, body)
            elif kind == "archives":
                answer = self._page(rest)
            else:
                raise LookupError
        except Refused as refused:
            answer = json.dumps(refused.body)
        except LookupError:
            _write(http, 404, b"not found", {})
            return
        if asked:
            _write(http, asked.status, asked.body.encode(), asked.headers)
        else:
            content_type = "text/html; charset=utf-8" if kind == "archives" else f"{JSON}; charset=utf-8"
            _write(http, 200, answer.encode(), {"Content-Type": content_type})

    def _asked(self, method: str) -> Answer | None:
        with self._lock:
            for answer in self._answers:
                if answer.method == method and answer.times:
                    answer.times -= 1
                    return answer
        return None

    def _drip(self, http: BaseHTTPRequestHandler) -> None:
        """Send an answer so slowly that no time limit of one reading ever passes."""
        http.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not self._closed.wait(0.2):
            try:
                http.wfile.write(b" ")
            except OSError:
                return

    # Methods

    def _call(self, method: str, http: BaseHTTPRequestHandler, query: str, body: bytes) -> dict[str, Any]:
        scopes = {
            "files.getUploadURLExternal": {"files:write"},
            "files.completeUploadExternal": {"files:write"},
            "chat.postMessage": {"chat:write"},
            "conversations.list": set(),
        }
        if method == "files.upload":
            raise Refused("method_deprecated")
        if method not in scopes:
            raise Refused("unknown_method", req_method=method)
        arguments = _arguments(method, http, query, body)
        authorization = http.headers.get("Authorization", "")
        if not authorization.startswith("Bearer "):
            raise Refused("not_authed")
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise Refused("invalid_auth")
        self._need(scopes[method])
        with self._lock:
            if method == "files.getUploadURLExternal":
                return self._get_upload_url(arguments)
            if method == "files.completeUploadExternal":
                return self._complete(arguments)
            if method == "chat.postMessage":
                return self._post(arguments)
            return self._list(arguments)

    def _need(self, scopes: set[str]) -> None:
        missing = scopes - self.scopes
        if missing:
            raise Refused(
                "missing_scope", needed=",".join(sorted(missing)), provided=",".join(sorted(self.scopes))
            )

    def _get_upload_url(self, arguments: dict[str, str]) -> dict[str, Any]:
        if not arguments.get("filename") or not int(arguments.get("length") or 0):
            raise Refused("missing_argument")
        number = next(self._ids)
        upload = Upload(f"F{number:010}", arguments["filename"], int(arguments["length"]))
        self._uploads[upload.id] = upload
        return {"ok": True, "upload_url": f"{self.url}upload/v1/{upload.id}", "file_id": upload.id}

    def _upload(self, rest: str, http: BaseHTTPRequestHandler, body: bytes) -> str:
        upload = self._uploads[rest.removeprefix("v1/")]
        if http.command != "POST" or "Authorization" in http.headers:
            raise LookupError
        with self._lock:
            if upload.content is not None or len(body) != upload.length:
                raise LookupError  # an address is good for one upload, of the length that was told
            upload.content = body
        return f"OK - {len(body)}"

    def _complete(self, arguments: dict[str, str]) -> dict[str, Any]:
        listed = json.loads(arguments["files"])
        if not isinstance(listed, list) or not listed:
            raise Refused("invalid_arguments")
        if not ID.fullmatch(arguments.get("channel_id", "")):
            raise Refused(
                "invalid_arguments", response_metadata={"messages": ["must match ^[CGDZ][A-Z0-9]{8,}$"]}
            )
        channel = self._channel(arguments["channel_id"])
        uploads = [self._uploads.get(one["id"]) for one in listed]
        if not all(upload and upload.content is not None and not upload.completed for upload in uploads):
            raise Refused("file_not_found")
        files = [upload for upload in uploads if upload]
        for upload in files:
            upload.completed = True
        self.messages.append(Message(channel.name, arguments.get("initial_comment", ""), files))
        return {"ok": True, "files": [{"id": one["id"], "title": one.get("title")} for one in listed]}

    def _post(self, arguments: dict[str, str]) -> dict[str, Any]:
        if not arguments.get("text"):
            raise Refused("no_text")
        if len(arguments["text"]) > 40_000:
            raise Refused("msg_too_long")
        channel = self._channel(arguments.get("channel", ""))
        self.messages.append(Message(channel.name, arguments["text"]))
        return {"ok": True, "channel": channel.id, "ts": f"{time.time():.6f}"}

    def _channel(self, channel_id: str) -> Channel:
        for channel in self.channels:
            if channel.id == channel_id and (channel.joined or not channel.private):
                if channel.archived:
                    raise Refused("is_archived")
                if not channel.joined:
                    raise Refused("not_in_channel")
                return channel
        raise Refused("channel_not_found")

    def _list(self, arguments: dict[str, str]) -> dict[str, Any]:
        types = set(arguments.get("types", "public_channel").split(","))
        if types - {"public_channel", "private_channel", "mpim", "im"}:
            raise Refused("invalid_types")
        needed = {"public_channel": "channels:read", "private_channel": "groups:read"}
        self._need({needed[one] for one in types})
        limit = int(arguments.get("limit", 100))
        if not 0 < limit < 1000:
            raise Refused("invalid_limit")
        seen = [
            channel
            for channel in self.channels
            if ("private_channel" if channel.private else "public_channel") in types
            and (channel.joined or not channel.private)
            and not (channel.archived and arguments.get("exclude_archived") in ("1", "true"))
        ]
        cursor = arguments.get("cursor", "")
        if cursor and not re.fullmatch(r"from:\d+", cursor):
            raise Refused("invalid_cursor")
        start = int(cursor.removeprefix("from:") or 0)
        end = start + min(limit, self.page_size)  # a page may have less than was asked for
        listed = [
            {"id": one.id, "name": one.name, "is_private": one.private, "is_member": one.joined}
            for one in seen[start:end]
        ]
        following = f"from:{end}" if end < len(seen) else ""
        return {"ok": True, "channels": listed, "response_metadata": {"next_cursor": following}}

    # The page

    def _page(self, name: str) -> str:
        shown = [message for message in self.messages if message.channel == name]
        return PAGE.replace("{name}", html.escape(name)).replace("{messages}", "".join(map(_drawn, shown)))


def _arguments(method: str, http: BaseHTTPRequestHandler, query: str, body: bytes) -> dict[str, str]:
    """Return a call's arguments; all methods take a form, those that write take JSON too."""
    content_type = http.headers.get_content_type()
    if http.command == "GET" or not body:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    elif content_type == FORM:
        pairs = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
    elif content_type == JSON and method in ("chat.postMessage", "files.completeUploadExternal"):
        pairs = list(json.loads(body).items())
    else:
        raise Refused("invalid_post_type")
    return dict(pairs)


def _write(http: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    try:
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)
    except OSError:  # whoever asked has given up
        pass


def _drawn(message: Message) -> str:
    """Return a message as Slack draws it; its markup has the same entities as HTML."""
    text = re.sub(r"```(.*?)```", r"<pre>\1</pre>", message.text, flags=re.DOTALL)
    text = re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text).replace("\n<pre>", "<pre>").replace("\n", "<br>")
    text = text.replace(":white_check_mark:", "<i class=good>✓</i>").replace(":x:", "<i class=bad>✗</i>")
    files = "".join(
        f"<div class=file><span>{html.escape(file.name.rpartition('.')[2])}</span><div><b>{html.escape(file.name)}</b>"
        f"<br>{len(file.content or b'') / 1000:.0f} kB</div></div>"
        for file in message.files
    )
    return f"<article><div class=face>nb</div><div><b>Notebook jobs</b> <small>APP</small><p>{text}</p>{files}</div></article>"


PAGE = """<!doctype html><meta charset="utf-8"><title>#{name}</title><style>
body { margin: 0; font: 15px/1.46 Lato, "DejaVu Sans", sans-serif; color: #1d1c1d; }
header { padding: 14px 20px; border-bottom: 1px solid #ddd; font-weight: 900; font-size: 18px; }
article { display: flex; gap: 10px; padding: 10px 20px; } p { margin: 2px 0 6px; }
.face { width: 36px; height: 36px; border-radius: 6px; background: #f37726; color: #fff; text-align: center; line-height: 36px; }
small { background: #eee; border-radius: 3px; padding: 1px 4px; font-size: 10px; }
i { font-style: normal; color: #fff; border-radius: 4px; padding: 0 5px; font-size: 13px; } .good { background: #2eb67d; } .bad { background: #e01e5a; }
pre { margin: 6px 0; padding: 8px; background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; white-space: pre-wrap; font-size: 13px; }
.file { display: flex; gap: 12px; align-items: center; border: 1px solid #ddd; border-radius: 8px; padding: 10px 14px; width: max-content; font-size: 13px; }
.file span { background: #1264a3; color: #fff; border-radius: 6px; padding: 10px 8px; }
</style><header># {name}</header><main>{messages}</main>"""
