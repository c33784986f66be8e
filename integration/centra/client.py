"""Centra's Integration API: one GraphQL endpoint, three kinds of error (centra.dev, Integration API)."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http, Refused

_BAD_TOKEN = re.compile(
    r"(invalid|expired|revoked|missing) token|token (is |has )?(invalid|expired|revoked)", re.IGNORECASE
)
"""Unconfirmed: a bad token may be answered with 200 and an error about no place in the document, instead of a 401."""


@cache
def query(name: str) -> str:
    """A document of `queries/` by file name."""
    return (files(__package__) / "queries" / f"{name}.graphql").read_text(encoding="utf-8")


class CentraClient:
    """Runs the documents of `queries/`. Reads cost one request; mutations one of each."""

    def __init__(self, http: Http) -> None:
        self.http = http
        http.denies = denied
        self._weights: dict[str, float] = {}
        """What a query really cost, as a part of what was guessed."""

    def now(self) -> datetime:
        """Our clock."""
        return self.http.gate.store.now()

    def read(self, name: str, variables: Mapping[str, object], *, lane: str, complexity: int = 0) -> dict[str, Any]:
        """The `data` of a query. Partial data beside `errors` is never used. Raises `Unavailable` or `Rejected`.

        `complexity` is a guess: every answer says what it cost, which is spent, and by which the next guess is weighed.
        """
        costs = {"requests": 1, "complexity": math.ceil(complexity * self._weights.get(name, 1.0))}
        return self._run(name, variables, lane=lane, writes=False, costs=costs, guess=complexity)

    def change(
        self, name: str, variables: Mapping[str, object], *, lane: str, refused_as: str = "SCHEMA_CHANGE"
    ) -> dict[str, Any]:
        """The payload of a mutation's single field, once its `userErrors` are empty. When they are not, raises `Rejected`
        of the type `refused_as` with Centra's words as evidence.
        """
        answer = self._run(name, variables, lane=lane, writes=True, costs={"requests": 1, "mutations": 1})
        (payload,) = answer.values() if len(answer) == 1 else (None,)
        if not isinstance(payload, dict) or not isinstance(payload.get("userErrors"), list):
            return self._nonsense(name, writes=True)
        if payload["userErrors"]:
            raise Rejected(
                refused_as, f"centra:{name}", f"Centra refused {name}", evidence=words(payload["userErrors"])
            )
        return dict(payload)

    def _run(
        self,
        name: str,
        variables: Mapping[str, object],
        *,
        lane: str,
        writes: bool,
        costs: Mapping[str, int],
        guess: int = 0,
    ) -> dict[str, Any]:
        body = {"query": query(name), "variables": dict(variables)}
        try:
            reply = self.http.call("POST", "/graphql", body, lane=lane, writes=writes, costs=costs)
        except Refused as refused:
            raise self._refused(
                name, refused.document, f"HTTP {refused.status}", refused.text, writes=writes
            ) from refused
        document = reply.document
        if not isinstance(document, dict) or not ("data" in document or "errors" in document):
            return self._nonsense(name, writes)
        self._learn(name, document, lane, costs, guess)
        if document.get("errors"):
            raise self._refused(name, document, "GraphQL errors", "", writes=writes)
        data = document.get("data")
        return data if isinstance(data, dict) else self._nonsense(name, writes)

    def _learn(self, name: str, document: dict[str, Any], lane: str, costs: Mapping[str, int], guess: int) -> None:
        """What an answer says it cost (`extensions.complexity`): spend what was guessed too low, and guess better."""
        extensions = document.get("extensions")
        cost = extensions.get("complexity") if isinstance(extensions, dict) else None
        if not guess or not isinstance(cost, int) or cost <= 0:
            return
        self._weights[name] = cost / guess
        if cost > costs["complexity"]:
            self.http.gate.charge(lane, {"complexity": cost - costs["complexity"]})

    def _nonsense(self, name: str, writes: bool) -> dict[str, Any]:
        message = f"Centra answered {name} with something that is no GraphQL response"
        raise Unknown(message) if writes else Unavailable(message, system=self.http.gate.system)

    def _refused(self, name: str, document: Any, what: str, text: str, *, writes: bool) -> Exception:
        """A missing permission concerns the connection, not one order; anything else is a changed contract."""
        first = _first_error(document)
        said = str(first.get("message") or text)[:500]
        if what == "HTTP 403" or denied(document):
            self.http.gate.unauthorised()
            return Unavailable(
                f"Centra refuses {name}: the token is refused or lacks a permission",
                retry_after=self.http.gate.terms.auth_open_for,
                system=self.http.gate.system,
                connection_wide="CONNECTION_AUTH",
            )
        if first.get("path"):
            message = f"Centra answered {name} in part"
            return Unknown(message) if writes else Unavailable(message, system=self.http.gate.system)
        return Rejected("SCHEMA_CHANGE", f"centra:{name}", f"Centra refused {name} ({what})", evidence=said)


def words(told: object) -> str:
    """What `userErrors` or `userWarnings` say, in one text."""
    listed = told if isinstance(told, list) else []
    return "; ".join(str(each.get("message") if isinstance(each, dict) else each) for each in listed)


def _first_error(document: Any) -> dict[str, Any]:
    errors = document.get("errors") if isinstance(document, dict) else None
    return errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}


def denied(document: Any) -> bool:
    """Whether an answer says that the token is refused or lacks a permission.

    The category is documented; the wording of a refused token with HTTP 200 is unconfirmed.
    """
    first = _first_error(document)
    extensions = first.get("extensions")
    category = extensions.get("category") if isinstance(extensions, dict) else None
    if category in ("authorization", "authentication"):
        return True
    return bool(_BAD_TOKEN.search(str(first.get("message") or ""))) and not first.get("locations")
