"""OWAPI: a token for a user and password, Bearer calls, and export definitions as the way to read (seen at several integrators).

Names come in any case (`Id`, `ID`, `id` were all seen), a single record as an object or as an array of one, amounts as plain
numbers. How long a token lives is unknown, so it is kept for a while and made anew, once, when a call is answered 401. What an
error's body looks like is unknown, too: its text goes along as evidence, and nothing is decided by it that a status can decide.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from integration.erp.orderwise.profile import Profile
from integration.errors import Rejected, Unavailable
from integration.http import Http, Refused

TOKEN_PATH = "/token/gettoken"  # noqa: S105 - a path, no password
NO_NAMES = ""
GONE = (404, 405)
"""At a path that always is there: OWAPI's directory is gone, as while it is upgraded. It says nothing of what was asked."""
NO_LOGIN = frozenset(range(400, 500)) - {403}
"""At the login, beside refused credentials (401): nothing is wrong with the document that somebody logged in for."""
PAGE = 1000
"""Rows asked for in one page: what an integrator asks for. The largest allowed is unknown."""

Row = dict[str, Any]


class Refusal(Exception):
    """OrderWise understood a write and said no. `words` are its own, for a human."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.words = status, words


@dataclass(frozen=True, slots=True)
class Export:
    """One of our export definitions: the columns its SQL names, and the name and revision its last row bears."""

    name: str
    columns: frozenset[str]

    @property
    def marker(self) -> str:
        """`DESPATCH 2`, as the SQL that we ship says it: what was pasted in before the SQL was changed says another."""
        (marker,) = re.findall(rf"'({self.name.upper()} \d+)'", sql_of(self.name))
        return str(marker)


@cache
def sql_of(name: str) -> str:
    """The SQL that the customer pastes in for an export."""
    return (files("integration.erp.orderwise") / "exports" / f"{name}.sql").read_text("utf-8")


class OWAPI:
    """One tenant. Every call costs one request."""

    def __init__(self, http: Http, profile: Profile) -> None:
        self.http = http
        self.profile = profile
        self._token: tuple[str, datetime] | None = None

    def post(self, path: str, body: object, *, lane: str, fixed: bool = False) -> Row:
        """A write's answer as one object with names in lower case. Raises `Refusal`, `Unavailable`, `Unknown`.

        A `fixed` path is there whatever was asked, so that a 404 is no refusal.
        """
        answer = folded(self._call("POST", path, body, lane=lane, writes=True, fixed=fixed))
        answer = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
        return answer if isinstance(answer, dict) else {"id": answer}

    def put(self, path: str, body: object, *, lane: str) -> None:
        """Change part of a record. Raises as `post`."""
        self._call("PUT", path, body, lane=lane, writes=True)

    def record(self, path: str, *, lane: str) -> Row:
        """One record, whether it comes as an object or as an array of one."""
        found = self._page(path, lane=lane)
        if len(found) != 1:
            raise self._strange(path, f"{len(found)} records")
        return found[0]

    def rows(self, path: str, *, lane: str, limit: int = PAGE) -> Iterator[Row]:
        """Every row of a list, page by page after the last id, until a page is empty."""
        last, sep = 0, "&" if "?" in path else "?"
        while page := self._page(f"{path}{sep}limit={limit}&last_id={last}", lane=lane):
            yield from page
            highest = page[-1].get("id")
            if not isinstance(highest, int) or highest <= last:
                raise self._strange(path, "pages do not go on by id")
            last = highest

    def _page(self, path: str, *, lane: str) -> list[Row]:
        answer = folded(self._call("GET", path, None, lane=lane, writes=False))
        found = [answer] if isinstance(answer, dict) else answer
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise self._strange(path, "no rows")
        return found

    def export(self, export: Export, parameters: Mapping[str, object], *, lane: str) -> list[Row]:
        """The rows of one of our export definitions. Raises `Rejected` (SCHEMA_CHANGE) unless all its columns are there."""
        id = self.profile.exports[export.name]
        what = f"export definition {id} ({export.name.upper()})"
        body = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
        try:
            answer = self._call(
                "POST",
                f"/system/export-definition/{id}",
                body or [{"name": NO_NAMES, "value": None}],
                lane=lane,
                writes=False,
            )
        except Refusal as refusal:
            if refusal.status in GONE:
                self._token = None
                self._bearer(lane)  # raises `Unavailable` where not the definition is gone, but all of OWAPI
            message = f"OrderWise does not run {what}: HTTP {refusal.status}"
            cause = f"{self.http.gate.system}:export {export.name} {id}"
            raise Rejected("SCHEMA_CHANGE", cause, message, evidence=refusal.words) from refusal
        return self._checked(export, str(id), what, folded(answer))

    def _checked(self, export: Export, id: str, what: str, rows: Any) -> list[Row]:
        """Someone may edit an export definition at any time: a column that is gone is never an empty list."""
        place = f"{self.http.gate.system}:export {export.name} {id}"
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Rejected("SCHEMA_CHANGE", place, f"{what} answers no rows")
        missing = sorted({name for row in rows for name in export.columns - row.keys()})
        if missing:
            message = f"{what} has no column {', '.join(missing)} any more: paste our SQL in again"
            raise Rejected("SCHEMA_CHANGE", f"{place} {missing[0]}", message)
        marked = [row for row in rows if row["kind"] == "export"]
        if len(marked) != 1 or export.marker not in marked[0].values():
            raise Rejected(
                "SCHEMA_CHANGE", f"{place} kind", f"{what} is not our SQL of this version: paste it in again"
            )
        return [row for row in rows if row["kind"] != "export"]

    def _call(self, method: str, path: str, body: object, *, lane: str, writes: bool, fixed: bool = False) -> Any:
        """The answer. A 401 may only say that the token has run out: log in once, ask once more."""
        try:
            return self._send(method, path, body, lane=lane, writes=writes, fixed=fixed, may_expire=True)
        except Refused as refused:
            if refused.status != 401:
                raise self._refused(path, refused, writes=writes) from refused
        self._token = None
        try:
            return self._send(method, path, body, lane=lane, writes=writes, fixed=fixed, may_expire=False)
        except Refused as refused:
            raise self._refused(path, refused, writes=writes) from refused

    def _send(
        self, method: str, path: str, body: object, *, lane: str, writes: bool, fixed: bool, may_expire: bool
    ) -> Any:
        bearer = {"Authorization": f"Bearer {self._bearer(lane)}"}
        return self.http.call(
            method,
            path,
            body,
            lane=lane,
            writes=writes,
            costs={"requests": 1},
            headers=bearer,
            may_expire=may_expire,
            absent=GONE if fixed else (),
        ).document

    def _bearer(self, lane: str) -> str:
        now = self.http.gate.store.clock.now()
        if self._token is None or now - self._token[1] >= self.profile.token_lives:
            try:
                reply = self.http.call(
                    "GET", TOKEN_PATH, lane=lane, writes=False, costs={"requests": 1}, plain=True, absent=NO_LOGIN
                )
            except Refused as refused:
                raise self._refused(TOKEN_PATH, refused, writes=False) from refused
            self._token = (self._token_in(reply.document), now)
        return self._token[0]

    def _token_in(self, document: Any) -> str:
        """The token in any of the forms that were seen or are likely: quoted, bare, or named in an object."""
        told = folded(document)
        if isinstance(told, dict):
            told = told.get("token") or told.get("access_token")
        token = str(told).strip().strip('"') if isinstance(told, str) else ""
        if not token or not token.isascii() or len(token.split()) != 1 or token.startswith("<"):
            raise Unavailable("OrderWise answers a login without a token", system=self.http.gate.system)
        return token

    def _refused(self, path: str, refused: Refused, *, writes: bool) -> Exception:
        """A 403 is nearly always a tick that is missing in the rights of the API user's group."""
        words = words_of(refused.document) or refused.text
        if refused.status != 403:
            return Refusal(refused.status, words)
        area = "API Export Definitions" if "export-definition" in path else path.strip("/").partition("?")[0]
        message = (
            f"OrderWise does not let its API user at {area}: ask its administrator to tick it for the API user group"
        )
        if writes:
            return Rejected("CONNECTION_AUTH", f"{self.http.gate.system}:{area}", message, evidence=words)
        self.http.gate.unauthorised()
        return Unavailable(
            message,
            retry_after=self.http.gate.terms.auth_open_for,
            system=self.http.gate.system,
            connection_wide="CONNECTION_AUTH",
        )

    def _strange(self, path: str, why: str) -> Rejected:
        place = path.partition("?")[0]
        return Rejected("SCHEMA_CHANGE", f"{self.http.gate.system}:{place}", f"OrderWise's answer to {place} has {why}")


def folded(value: Any) -> Any:
    """The same with every name in lower case."""
    if isinstance(value, dict):
        return {str(name).lower(): folded(inner) for name, inner in value.items()}
    return [folded(inner) for inner in value] if isinstance(value, list) else value


def words_of(document: Any) -> str:
    """The human text of an error body, wherever it stands; the form of these bodies is unknown."""
    told = folded(document)
    if isinstance(told, str):
        return told[:1000]
    if not isinstance(told, dict):
        return ""
    message = told.get("message") or told.get("error") or told.get("title")
    parts = [message] if isinstance(message, str) else []
    for name in ("errors", "modelstate"):
        parts += _texts(told.get(name))
    return "; ".join(parts)[:1000]


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def named(answer: Row, *names: str) -> str:
    """The first of these names that an answer has a value for, as text."""
    return next((str(answer[name]) for name in names if answer.get(name) not in (None, "")), "")
