"""The webhook receiver: verify, mark, commit, answer. `POST /centra/<instance>`; `GET /healthz`.

2xx means that the hint is committed. The body of an error says nothing that an attacker could use.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from integration.centra import webhooks
from integration.domain.order import Key
from integration.errors import Unavailable
from integration.store import ledger
from integration.wiring import World

log = structlog.get_logger()

StartResponse = Callable[..., Any]
Answer = tuple[str, bytes]


class Receiver:
    """The WSGI app. `counts` tells how often each answer was given and why."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: dict[str, int] = {}
        self.secrets = {told.name: [s.reveal() for s in told.webhook_secrets] for told in world.settings.centra}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        reason, (status, body) = self._answer(environ)
        self.counts[reason] = self.counts.get(reason, 0) + 1
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        if status.startswith("503"):
            headers.append(("Retry-After", "10"))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, Answer]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if path == "/healthz":
            return "health", self._health()
        instance = path.removeprefix("/centra/")
        if instance == path or instance not in self.secrets:
            return "no such door", ("404 Not Found", b"not found\n")
        if method != "POST":
            return "method", ("405 Method Not Allowed", b"POST only\n")
        return self._receive(instance, environ)

    def _receive(self, instance: str, environ: dict[str, Any]) -> tuple[str, Answer]:
        body = _body(environ)
        if body is None:
            return "too large", ("413 Content Too Large", b"too large\n")
        header = str(environ.get("HTTP_X_CENTRA_SIGNATURE", "")).encode("latin-1", "replace")
        try:
            webhooks.verify(header, body, self.secrets[instance], self.world.clock.now())
            keys = webhooks.named_documents(instance, body)
        except webhooks.Forged as error:
            log.warning("webhook.refused", instance=instance, reason=str(error))
            return "forged", ("401 Unauthorized", b"not authorised\n")
        except webhooks.Malformed as error:
            log.warning("webhook.unreadable", instance=instance, reason=str(error))
            return "malformed", ("400 Bad Request", b"not a webhook\n")
        try:
            marked = ledger.mark(self.world.store, keys, "webhook", rung=True)
        except Unavailable as error:
            log.error("webhook.not_stored", instance=instance, reason=str(error))
            return "store down", ("503 Service Unavailable", b"try again\n")
        self.world.point("webhook.committed")
        self._ring(marked)
        return "received", ("200 OK", b"received\n")

    def _ring(self, keys: list[Key]) -> None:
        for key in keys:
            self.world.ring("take", key)

    def _health(self) -> Answer:
        try:
            self.world.store.now()
            with self.world.store.read():
                return "200 OK", b"ok\n"
        except Unavailable:
            return "503 Service Unavailable", b"the ledger cannot be reached\n"


def _body(environ: dict[str, Any]) -> bytes | None:
    """The raw body, or `None` when it is larger than any webhook."""
    told = str(environ.get("CONTENT_LENGTH") or "")
    known = re.fullmatch(r"[0-9]{1,12}", told)
    if told and (not known or int(told) > webhooks.MAX_BODY):
        return None
    body: bytes = environ["wsgi.input"].read(int(told) if known else webhooks.MAX_BODY + 1)
    return body if len(body) <= webhooks.MAX_BODY else None
