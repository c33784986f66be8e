"""The webhook receiver: verify, mark, commit, answer.

`POST /centra/<instance>` names documents; `POST /fulfil/<connection>` names SKUs whose stock may have changed; the doors below
`/orderwise/<connection>/` are in `integration.session_doors`; `GET /healthz`. 2xx means that the hint is committed. The body
of an error says nothing that an attacker could use.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from integration import stock
from integration.centra import webhooks as centra
from integration.domain.order import Key
from integration.erp.fulfil import webhooks as fulfil
from integration.erp.orderwise import sessions
from integration.errors import Unavailable
from integration.session_doors import NO_DOOR, SessionDoors
from integration.settings import ErpSettings, SettingsError
from integration.store import ledger
from integration.wiring import World

log = structlog.get_logger()

StartResponse = Callable[..., Any]
Answer = tuple[str, bytes]
Commit = Callable[[], list[Key]]
"""Writes what was heard and gives the keys to ring. Raises `Unavailable`."""
Hear = Callable[[str, dict[str, Any], bytes], Commit]
SESSION_DOORS = "/orderwise/"
MAX_BODY = max(centra.MAX_BODY, fulfil.MAX_BODY)
LARGEST = max(MAX_BODY, sessions.MAX_BODY)
"""Of any door: a server in front of them need not read further."""


class Receiver:
    """The WSGI app. `counts` tells how often each answer was given and why."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: dict[str, int] = {}
        self.doors: dict[str, ErpSettings] = {}
        self.sessions = SessionDoors(world)
        self.secrets = {told.name: [s.reveal() for s in told.webhook_secrets] for told in world.settings.centra}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        reason, (status, body) = self._answer(environ)
        self.counts[reason] = self.counts.get(reason, 0) + 1
        kind = "text/xml" if body.startswith(b"<?xml") else "text/plain"
        headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))]
        headers.append(("Cache-Control", "no-store"))
        if reason == "forged" and environ.get("PATH_INFO", "").startswith(SESSION_DOORS):
            headers.append(
                ("WWW-Authenticate", 'Basic realm="session"')
            )  # some clients log in only when they are asked
        if status.startswith("503"):
            headers.append(("Retry-After", "10"))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, Answer]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if path == "/healthz":
            return "health", self._health()
        if path.startswith(SESSION_DOORS):
            return self._session(path.removeprefix(SESSION_DOORS), method, environ)
        _, system, name = path.split("/", 2) if path.count("/") == 2 else ("", "", "")
        hear = {"centra": self._documents, "fulfil": self._levels}.get(system)
        if hear is None or not self._has_door(system, name):
            return "no such door", ("404 Not Found", b"not found\n")
        if method != "POST":
            return "method", ("405 Method Not Allowed", b"POST only\n")
        return self._receive(hear, name, environ)

    def _session(self, path: str, method: str, environ: dict[str, Any]) -> tuple[str, Answer]:
        connection = path.partition("/")[0]
        if path.count("/") != 2 or not self._has_door("orderwise", connection):
            reply = NO_DOOR
        else:
            logins = [secret.reveal() for secret in self.doors[connection].webhook_secrets]
            header = str(environ.get("HTTP_AUTHORIZATION", ""))
            reply = self.sessions.answer(path, method, header, logins, lambda most: _body(environ, most))
        return reply[0], reply[1:]

    def _has_door(self, system: str, name: str) -> bool:
        """Whether anybody may knock here; a connection's terms are read once, as at a restart."""
        if system == "centra" or name in self.doors:
            return name in (self.secrets if system == "centra" else self.doors)
        try:
            door = self.world.settings.webhook_door(name)
        except SettingsError as error:
            log.error("webhook.door_broken", connection=name, reason=str(error))
            return False
        if door is not None:
            self.doors[name] = door
        return door is not None

    def _receive(self, hear: Hear, name: str, environ: dict[str, Any]) -> tuple[str, Answer]:
        """Read, verify and commit; `hear` makes of a body what is to be committed."""
        body = _body(environ)
        if body is None:
            return "too large", ("413 Content Too Large", b"too large\n")
        try:
            commit = hear(name, environ, body)
        except (centra.Forged, fulfil.Forged) as error:
            log.warning("webhook.refused", instance=name, reason=str(error))
            return "forged", ("401 Unauthorized", b"not authorised\n")
        except (centra.Malformed, fulfil.Malformed) as error:
            log.warning("webhook.unreadable", instance=name, reason=str(error))
            return "malformed", ("400 Bad Request", b"not a webhook\n")
        try:
            marked = commit()
        except Unavailable as error:
            log.error("webhook.not_stored", instance=name, reason=str(error))
            return "store down", ("503 Service Unavailable", b"try again\n")
        self.world.point("webhook.committed")
        self._ring(marked)
        return "received", ("200 OK", b"received\n")

    def _documents(self, instance: str, environ: dict[str, Any], body: bytes) -> Commit:
        """The documents that Centra names."""
        header = str(environ.get("HTTP_X_CENTRA_SIGNATURE", "")).encode("latin-1", "replace")
        centra.verify(header, body, self.secrets[instance], self.world.clock.now())
        keys = centra.named_documents(instance, body)
        return lambda: ledger.mark(self.world.store, keys, "webhook", rung=True)

    def _levels(self, connection: str, environ: dict[str, Any], body: bytes) -> Commit:
        """The SKUs that Fulfil names: only that they changed, never to what."""
        door = self.doors[connection]
        told = environ.get("HTTP_X_FULFIL_HMAC_SHA256")
        signature = None if told is None else str(told).encode("latin-1", "replace")
        secrets = [secret.reveal() for secret in door.webhook_secrets]
        fulfil.verify(signature, body, secrets, unsigned=door.unsigned_webhooks)
        skus = fulfil.named_skus(str(environ.get("HTTP_X_FULFIL_EVENT", "")), body)
        return lambda: self._hint(connection, skus)

    def _hint(self, connection: str, skus: list[str]) -> list[Key]:
        with self.world.store.write("stock.hinted") as tx:
            return stock.hint(tx, connection, skus, look=False, source="webhook")

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


def _body(environ: dict[str, Any], most: int = MAX_BODY) -> bytes | None:
    """The raw body, or `None` when it is larger than any that is expected."""
    told = str(environ.get("CONTENT_LENGTH") or "")
    known = re.fullmatch(r"[0-9]{1,12}", told)
    if told and (not known or int(told) > most):
        return None
    body: bytes = environ["wsgi.input"].read(int(told) if known else most + 1)
    return body if len(body) <= most else None
