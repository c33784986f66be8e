"""Pebblebook's API as its client: three calls, pages, and what a refusal says."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from integration.errors import Rejected, Unavailable, Unknown
from integration.http import Http, Refused

Row = dict[str, Any]

BATCH = 500
"""Records asked for by name in one call: one page of the answer."""


class Refusal(Exception):
    """A write that Pebblebook understood and refused, with its code, the word of ours that it is about, and its sentence."""

    def __init__(self, document: object) -> None:
        told = document if isinstance(document, dict) else {}
        self.code, self.key, self.words = (str(told.get(name, "")) for name in ("code", "key", "message"))
        super().__init__(self.code)


class Client:
    """Reads raise `Unavailable` or `Rejected`; writes `Unavailable`, `Unknown` or `Refusal`."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def create(self, collection: str, document: Row, *, lane: str) -> str:
        """The id of a new record, or of the one that has its reference already."""
        try:
            answer = self._call(f"/{collection}", document, lane=lane, writes=True)
        except Refused as refused:
            refusal = Refusal(refused.document)
            if refusal.code != "duplicate":
                raise refusal from refused
            answer = refused.document
        if not isinstance(answer, dict) or "id" not in answer:
            raise Unknown("Pebblebook took a document and names no id")
        return str(answer["id"])

    def act(self, collection: str, id: str, verb: str, *, lane: str) -> str:
        """Do something to a record that may be done again; its id."""
        try:
            self._call(f"/{collection}/{int(id)}/{verb}", {}, lane=lane, writes=True)
        except Refused as refused:
            raise Refusal(refused.document) from refused
        return id

    def named(self, collection: str, field: str, words: Collection[object], *, lane: str, **terms: object) -> list[Row]:
        """The records with these values of a field."""
        wanted = sorted(set(words), key=str)
        batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
        return [row for batch in batches for row in self._all(collection, {field: batch, **terms}, lane=lane)]

    def changed(self, collection: str, since: datetime, *, lane: str) -> list[Row]:
        """The records that are new or changed since a moment."""
        return self._all(collection, {"since": since.isoformat()}, lane=lane)

    def page(self, collection: str, asked: Row, *, lane: str) -> tuple[list[Row], int | None]:
        """One page, and the id to go on after; `None` at the end."""
        try:
            answer = self._call(f"/{collection}/query", asked, lane=lane, writes=False)
        except Refused:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("rows"), list):
            message = f"Pebblebook answers no rows when {collection} are asked for"
            raise Rejected("SCHEMA_CHANGE", f"{self.http.gate.system}:{collection}", message)
        return answer["rows"], answer.get("next")

    def _all(self, collection: str, asked: Row, *, lane: str) -> list[Row]:
        found, after = self.page(collection, asked, lane=lane)
        while after is not None:
            rows, after = self.page(collection, asked | {"after": after}, lane=lane)
            found += rows
        return found

    def _call(self, path: str, body: Row, *, lane: str, writes: bool) -> Any:
        try:
            return self.http.call("POST", path, body, lane=lane, writes=writes, costs={"requests": 1}).document
        except Refused as refused:
            if refused.status != 403:
                raise
            self.http.gate.unauthorised()
            message = f"{self.http.gate.system} does not let its user at {path}"
            raise Unavailable(
                message,
                retry_after=self.http.gate.terms.auth_open_for,
                system=self.http.gate.system,
                connection_wide="CONNECTION_AUTH",
            ) from refused
