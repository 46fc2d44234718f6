"""Where notifications arrive: a real SMTP server (aiosmtpd) and a real HTTP server for webhooks."""

from __future__ import annotations

import asyncio
import json
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.stand_ins.address import own_address

SECRET = "pa55-word-of-the-mail"
HOOK = "h00k-path-that-is-secret"


class Receivers:
    """A mail server and a webhook.

    Parameters
    ----------
    real_pods
        Whether they must be reached from beyond this machine.

    Attributes
    ----------
    mails, posts
        What arrived.
    status
        What the webhook answers.
    hang
        While set, the webhook does not answer, and nothing counts as arrived.
    refuses_mail
        Whether the mail server refuses the content of each mail.
    """

    def __init__(self, real_pods: bool = False) -> None:
        self._bound = "0.0.0.0" if real_pods else "127.0.0.1"
        self._host = own_address() if real_pods else "127.0.0.1"
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.posts: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        self.hang = threading.Event()
        self.refuses_mail = False
        self._released = threading.Event()
        self._threads: list[threading.Thread] = []
        outer = self

        class Mails:
            async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
                if not session.authenticated:  # `auth_required` warns where there is no TLS
                    return "530 Authentication required"
                if outer.refuses_mail:
                    return "552 Message is too large"
                content = envelope.original_content or b""
                outer.mails.append(message_from_bytes(content, policy=policy.default))
                outer.recipients.append(list(envelope.rcpt_tos))
                return "250 OK"

        class Posts(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                if outer.hang.is_set():
                    outer._released.wait(30)
                    return
                status = outer.status if unquote(self.path) == f"/{HOOK}" else 404
                if status == 200:
                    outer.posts.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        def authenticate(
            server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
        ) -> AuthResult:
            return AuthResult(success=data.password == SECRET.encode(), handled=False)

        def serve_mail() -> SMTP:
            return SMTP(Mails(), authenticator=authenticate, auth_require_tls=False, loop=self._loop)

        self._loop = asyncio.new_event_loop()
        self._serve_mail = serve_mail
        self._http = ThreadingHTTPServer((self._bound, 0), Posts)

    def __enter__(self) -> Receivers:
        for serve in (partial(self._http.serve_forever, 0.02), self._loop.run_forever):
            self._threads.append(threading.Thread(target=serve, daemon=True))
            self._threads[-1].start()
        starting = self._loop.create_server(self._serve_mail, self._bound, 0)
        self._smtp = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._loop.call_soon_threadsafe(self._smtp.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join()
        self._loop.close()

    @property
    def targets(self) -> dict[str, str]:
        """The addresses as an administrator configures them: ``team`` by mail, ``ops`` by a webhook."""
        port = self._smtp.sockets[0].getsockname()[1]
        sender, team = "jobs@example.org", "team@example.org"
        mail = f"mailto://jobs:{SECRET}@{self._host}:{port}?from={sender}&to={team}"
        return {"team": mail, "ops": f"json://{self._host}:{self._http.server_port}/{HOOK}"}


def is_secret(content: bytes) -> bool:
    """Return whether bytes contain a part of an address that nobody may read."""
    return any(secret.encode() in content for secret in (SECRET, HOOK))


def attachments(mail: EmailMessage) -> dict[str, bytes]:
    """Return the files of a mail by their names."""
    return {
        str(part.get_filename()): bytes(part.get_payload(decode=True)) for part in mail.iter_attachments()
    }


def body(mail: EmailMessage) -> str:
    """Return a mail's text."""
    part = mail.get_body(("plain", "html"))
    assert part
    return str(part.get_content())
