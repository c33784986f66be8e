"""Centra's HTTP face: `POST /graphql` with a bearer token, and the sandbox's own controls under `/_sandbox/`.

A call goes: token, body, rate limits, fault, permissions, execution. Faults that are no answer leave the app as `Hang`
or `Drop` (see `serve` for what a real server makes of them).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from graphql import GraphQLError

from integration.sandbox.centra_dates import write_date
from integration.sandbox.centra_faults import CALL_FAULTS, GRAPHQL_FAULTS, Reply, as_json, suffer
from integration.sandbox.centra_language import Invalid, Request, read
from integration.sandbox.centra_limits import retry_after
from integration.sandbox.centra_mutations import Mutations
from integration.sandbox.centra_parcels import Return, Shipment
from integration.sandbox.centra_queries import Queries
from integration.sandbox.centra_run import Run

if TYPE_CHECKING:
    from integration.sandbox.centra import Centra, Token

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_NULLED = ("shippingAddress", "market", "customer", "productSize", "paymentMethod", "pricelist")


class Wire:
    """The WSGI app of one `Centra`. `control` answers `/_sandbox/`."""

    def __init__(self, centra: Centra, control: Callable[[str, str, bytes], Reply]) -> None:
        self.centra, self.control = centra, control

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        reply = self._reply(environ)
        status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
        headers = [("Content-Type", reply.kind), ("Content-Length", str(len(reply.body))), *reply.headers.items()]
        start_response(status, headers)
        return [reply.body]

    def _reply(self, environ: Environ) -> Reply:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "GET")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path.startswith("/_sandbox/"):
            return self.control(method, path.removeprefix("/_sandbox/").rstrip("/"), body)
        if path != "/graphql":
            return as_json(404, {"errors": [{"message": "Not found"}]})
        if method != "POST":
            return as_json(405, {"errors": [{"message": "Only POST is allowed"}]}, Allow="POST")
        return self._graphql(environ, body)

    def _graphql(self, environ: Environ, body: bytes) -> Reply:
        token = self._token(environ)
        if token is None:
            return as_json(self.centra.switches.bad_token_status, {"errors": [{"message": "Invalid token"}]})
        try:
            words = json.loads(body)
            text, name, given = str(words["query"]), words.get("operationName"), dict(words.get("variables") or {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return as_json(400, {"errors": [{"message": "The body is not a GraphQL request"}]})
        try:
            request = read(text, name, given, self.centra.switches)
        except Invalid as invalid:
            return self._spent(0, 0) or self._answer(None, invalid.errors, None)
        with self.centra.guard:
            self.centra.requests[request.root.name.value] += 1
        refusal = self._spent(request.complexity, request.mutations)
        if refusal:
            return refusal
        plan = self.centra.faults.due(
            request.root.name.value, self._number(request), environ.get("HTTP_X_SANDBOX_FAULT", ""), among=CALL_FAULTS
        )
        if plan is None:
            return self._executed(request, token, "")
        if plan.fault in GRAPHQL_FAULTS:
            return self._executed(request, token, plan.fault)
        return suffer(plan, lambda: self._executed(request, token, ""), self.centra.clock)

    def _token(self, environ: Environ) -> Token | None:
        """The token of the header or of the vendor's alternative cookie, unless it has expired."""
        kind, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer":
            cookies = (part.strip().partition("=") for part in environ.get("HTTP_COOKIE", "").split(";"))
            secret = next((value for name, _, value in cookies if name == "graphql-access"), "")
        token = self.centra.tokens.get(secret.strip())
        if token is None or (token.expires is not None and token.expires <= self.centra.clock.now()):
            return None
        return token

    def _spent(self, complexity: int, mutations: int) -> Reply | None:
        """429 when the plan's buckets do not hold this request."""
        switches, now = self.centra.switches, self.centra.clock.now()
        with self.centra.guard:
            wait = self.centra.limits.spend(switches.limits, now, complexity, mutations)
        if wait <= 0:
            return None
        later = retry_after(switches.retry_after, now, wait)
        return as_json(429, {"errors": [{"message": "Too many requests"}]}, **{"Retry-After": later})

    def _number(self, request: Request) -> str | None:
        """The order a request is about, when it names exactly one: what `Plan.number` is compared with."""
        parcel = self._parcel(request)
        if parcel is not None:
            return str(parcel.order_number)
        numbers = _mentioned(request.arguments, "number")
        if numbers:
            return numbers[0] if len(set(numbers)) == 1 else None
        orders = map(self.centra.book.by_id.get, _mentioned(request.arguments, "id"))
        return next((str(order.number) for order in orders if order), None)

    def _parcel(self, request: Request) -> Shipment | Return | None:
        """The shipment or return a mutation names by id."""
        name, parcels = request.root.name.value, self.centra.book.parcels
        if name == "createReturn":
            return parcels.shipments.get(request.arguments["input"]["shipment"].get("id"))
        if name.endswith("Shipment"):
            return parcels.shipments.get(request.arguments.get("id", 0))
        return parcels.returns.get(request.arguments.get("id", 0)) if name.endswith("Return") else None

    def _executed(self, request: Request, token: Token, fault: str) -> Reply:
        centra = self.centra
        lacking = [n for n in request.needs if token.permissions is not None and n.permission not in token.permissions]
        if fault == "permission-removed":
            lacking = request.needs
        if lacking:
            return self._answer(None, [lacking[0].error()], request)
        with centra.guard:
            queries = Queries(
                centra.book, centra.shapes, centra.events, centra.limits, centra.switches, centra.clock,
                token.store_id, token.integration,
            )  # fmt: skip
            mutations = Mutations(
                centra.book, centra.shapes, centra.events, centra.switches, centra.clock, centra.faults, queries,
                token.store_id, token.integration, centra.shipments, centra.returns, centra.products, fault == "user-error",
            )  # fmt: skip
            zone = ZoneInfo(centra.switches.time_zone)
            run = Run(request, queries.resolvers() | mutations.resolvers(), lambda at, form: write_date(at, zone, form))
            found = run.answer()
        if fault == "partial" and found:
            run.errors.append(GraphQLError("Internal server error", path=_null_one(found)))
        return self._answer(found, run.errors, request)

    def _answer(self, found: dict[str, Any] | None, errors: list[GraphQLError], request: Request | None) -> Reply:
        """The envelope; a refused request has no `data` at all."""
        words: dict[str, Any] = {}
        if errors:
            words["errors"] = [_formatted(error) for error in errors]
        if found is not None:
            words["data"] = found
        words["extensions"] = {
            "complexity": request.complexity if request else 0,
            "permissionsUsed": request.permissions if request else [],
            "appVersion": self.centra.switches.app_version,
        }
        return as_json(200, words)


def _formatted(error: GraphQLError) -> dict[str, Any]:
    shown: dict[str, Any] = dict(error.formatted)
    shown["extensions"] = {"category": "graphql", **(error.extensions or {})}
    return shown


def _mentioned(words: Any, name: str) -> list[str]:
    """Every plain value under a key called `name`, as text."""
    if isinstance(words, list):
        return [found for word in words for found in _mentioned(word, name)]
    found: list[str] = []
    for key, word in words.items() if isinstance(words, Mapping) else ():
        plain = [w for w in (word if isinstance(word, list) else [word]) if isinstance(w, int | str)]
        found += [str(w) for w in plain] if key == name else _mentioned(word, name)
    return found


def _null_one(found: dict[str, Any]) -> list[str | int]:
    """Make one nullable field null; the path to it."""
    pending: list[tuple[list[str | int], Any]] = [([], found)]
    while pending:
        path, here = pending.pop(0)
        if isinstance(here, dict):
            for key, value in here.items():
                if key in _NULLED and value is not None:
                    here[key] = None
                    return [*path, key]
                pending.append(([*path, key], value))
        elif isinstance(here, list):
            pending.extend(([*path, index], value) for index, value in enumerate(here))
    first = next(iter(found))
    found[first] = None
    return [first]
