"""The only importer of requests: time-outs, size caps, exact JSON, and what a status means.

Every answer becomes a `Reply` or one of the five failures. Whether a failed *write* may have taken effect is decided
here: refused before it was sent is `Unavailable`, anything after is `Unknown`.
"""

import json
import re
import ssl
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from integration.budget import Gate
from integration.errors import Unavailable, Unknown

MAX_BYTES = 20_000_000
"""No page of 500 rows is near this; a larger body is a fault or an attack."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape for NUL, and not a backslash that a customer typed before "u0000"."""

_RETRY_SECONDS = re.compile(r"[0-9]{1,10}")
_EPOCH_FROM = 1_000_000_000
"""A Retry-After number above this is an instant, not a wait: Centra documents a timestamp."""


Transport = BaseAdapter
"""What carries a request: sockets, or in a simulation the sandbox itself."""


class Refused(Exception):
    """A 4xx that only the adapter can read: `status`, `document` (parsed JSON or None), `text` (the first 2,000 characters)."""

    def __init__(self, status: int, document: Any, text: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.document, self.text = status, document, text


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx with a JSON body."""

    status: int
    headers: Mapping[str, str]
    document: Any


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` bounds the whole exchange and is what leases are measured by."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 45.0


class NotJson(ValueError):
    """A body that claims or should be JSON and is not, or holds what no honest JSON holds."""


def parse_json(body: bytes, *, storable: bool = True) -> Any:
    """JSON with exact numbers. Raises `NotJson` for duplicate keys, NaN or absurd nesting.

    With `storable`, also for lone surrogates and NUL, which no database takes. A page of many documents is read
    without, and each document is looked at by itself: see `is_storable`.
    """
    try:
        text = body.decode("utf-8")
        if storable and ("\x00" in text or ("\\u0000" in text and _NUL.search(text))):
            raise NotJson("a NUL character in the text")
        parsed = json.loads(
            text,
            parse_float=_bounded_decimal,
            parse_int=_bounded_int,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_keys,
        )
        if storable and "\\ud" in text.lower() and not is_storable(parsed):
            raise NotJson("half a character in the text")
    except NotJson:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NotJson(f"{type(error).__name__} while reading JSON") from error
    return parsed


def is_storable(document: Any) -> bool:
    """Whether a parsed document holds only characters that a database takes."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return "\\u0000" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _bounded_int(digits: str) -> int:
    if len(digits) > 19:
        raise NotJson("a number of more than 19 digits")
    return int(digits)


def _bounded_decimal(digits: str) -> Decimal:
    number = Decimal(digits)
    if len(digits) > 64 or abs(number.adjusted()) > 330:
        raise NotJson("a number beyond any double")
    return number


def _no_constant(word: str) -> Any:
    raise NotJson(f"{word} is not a number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("an object names a key twice")
    return found


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header as a wait: delta seconds, an HTTP date, or an epoch timestamp. `None` for none or nonsense."""
    if value is None:
        return None
    value = value.strip()
    if _RETRY_SECONDS.fullmatch(value):
        number = int(value)
        return timedelta(seconds=number - now.timestamp() if number >= _EPOCH_FROM else number)
    try:
        instant = parsedate_to_datetime(value)
    except ValueError:
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - now


def new_session(adapter: BaseAdapter | None = None) -> requests.Session:
    """A session that trusts no environment variable. One a process: connections are kept, threads share it safely enough
    because nothing of it is changed after this.
    """
    session = requests.Session()
    session.trust_env = False
    transport = adapter or HTTPAdapter(pool_connections=4, pool_maxsize=32, max_retries=0)
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session


class Http:
    """One remote system over HTTP.

    `base` must be https, or http to a loopback host. Raises `ValueError` for anything else.
    """

    def __init__(
        self,
        base: str,
        *,
        headers: Mapping[str, str],
        session: requests.Session,
        gate: Gate,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None],
        patience: timedelta = timedelta(seconds=2),
        point: Callable[[str], None] = lambda name: None,
    ) -> None:
        if not safe_base(base):
            raise ValueError(f"{base!r} is neither https nor a loopback address")
        self.base = base.rstrip("/")
        self.headers = {"Accept": "application/json", "User-Agent": "lockstep", **headers}
        self.session = session
        self.gate = gate
        self.timeouts = timeouts or Timeouts()
        self.sleep = sleep
        self.patience = patience
        self.point = point
        self.denies: Callable[[Any], bool] = lambda document: False
        """Whether a 2xx says in its body that our credentials are refused: then it is no sign of health."""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        lane: str,
        writes: bool,
        costs: Mapping[str, int],
        headers: Mapping[str, str] | None = None,
        may_expire: bool = False,
        plain: bool = False,
        absent: Container[int] = (),
    ) -> Reply:
        """Make one call. Raises `Unavailable`, `Unknown` (only when `writes`) or `Refused` (4xx for the adapter).

        `headers` go with this call alone. With `may_expire` a 401 is `Refused` and says nothing of the connection: the
        caller's token may only have run out. With `plain` a body that is not JSON is its text. `absent` are the statuses of
        a 4xx that only a server without the API gives at this path: `Unavailable`, whatever was asked.
        """
        self._wait_for_budget(lane, costs)
        system = self.gate.system
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        typed = {} if content is None else {"Content-Type": "application/json"}
        self.point("http.before-send")
        began = time.monotonic()
        deadline = began + self.timeouts.total
        try:
            response = self.session.request(
                method,
                self.base + path,
                data=content,
                headers={**self.headers, **typed, **(headers or {})},
                timeout=(self.timeouts.connect, self.timeouts.read),
                allow_redirects=False,
                stream=True,
            )
            status, answer_headers, raw = response.status_code, response.headers, self._body(response, deadline)
        except requests.exceptions.SSLError as error:
            if _never_sent(error):
                raise self._down(f"{system} does not prove who it is (TLS); nothing was sent", error) from error
            raise self._no_answer(writes, "TLS broke", error) from error
        except (requests.exceptions.ConnectTimeout, requests.exceptions.ConnectionError) as error:
            if _never_sent(error):
                raise self._down(f"{system} cannot be reached", error) from error
            raise self._no_answer(writes, "the connection was cut", error) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, _Overlong) as error:
            raise self._no_answer(writes, f"no complete answer ({error.__class__.__name__})", error) from error
        finally:
            self.gate.took(time.monotonic() - began)
        self.point("http.after-receive")
        if status == 401 and may_expire:
            raise Refused(status, None, "")
        return self._read(status, answer_headers, raw, writes=writes, plain=plain, absent=absent)

    def _wait_for_budget(self, lane: str, costs: Mapping[str, int]) -> None:
        """Wait in place for short refusals: handing a job back and ringing it again costs more than `patience`."""
        waited = timedelta(0)
        while True:
            try:
                return self.gate.enter(lane, costs)
            except Unavailable as refusal:
                pause = refusal.retry_after or timedelta(seconds=1)
                if refusal.connection_wide or waited + pause > self.patience:
                    raise
                self.sleep(pause.total_seconds())
                waited += pause

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        """The decompressed body, within the size cap and the total deadline.

        `read1` gives what has arrived; any other way of reading waits for a whole chunk, however slowly it drips.
        """
        chunks, size = [], 0
        try:
            while chunk := response.raw.read1(65_536, decode_content=True):
                size += len(chunk)
                if size > MAX_BYTES or time.monotonic() > deadline:
                    raise _Overlong(f"{size} bytes and counting")
                chunks.append(chunk)
        finally:
            response.close()
        return b"".join(chunks)

    def _read(
        self, status: int, headers: Mapping[str, str], raw: bytes, *, writes: bool, plain: bool, absent: Container[int]
    ) -> Reply:
        document: Any = None
        broken: NotJson | None = None
        try:
            document = parse_json(raw, storable=False) if raw.strip() else None
        except NotJson as error:
            broken, document = (None, raw.decode("utf-8", "replace")) if plain and status < 300 else (error, None)
        if 200 <= status < 300 and broken is None:
            if not self.denies(document):
                self.gate.succeeded()
            return Reply(status, headers, document)
        if status == 429 and not _is_validation(document):
            asked = retry_after(headers.get("Retry-After"), self.gate.store.now())
            kept = self.gate.throttled(asked)
            raise Unavailable(f"{self.gate.system} is throttling", retry_after=kept, system=self.gate.system)
        if status == 401:
            self.gate.unauthorised()
            raise Unavailable(
                f"{self.gate.system} refuses our credentials (HTTP 401)",
                retry_after=self.gate.terms.auth_open_for,
                system=self.gate.system,
                connection_wide="CONNECTION_AUTH",
            )
        if status in absent:
            raise self._no_answer(False, f"HTTP {status} where its API should be", None)
        if 400 <= status < 500 and status not in (408, 425):
            if status != 403:
                self.gate.succeeded()
            raise Refused(status, document, raw[:2000].decode("utf-8", "replace"))
        what = "a body that is not JSON" if 200 <= status < 300 else f"HTTP {status}"
        asked = retry_after(headers.get("Retry-After"), self.gate.store.now())
        if asked is not None:
            asked = min(max(asked, timedelta(seconds=1)), self.gate.terms.throttle_most)
        raise self._no_answer(writes, what, broken, asked)

    def _down(self, message: str, cause: Exception) -> Unavailable:
        """Surely not sent."""
        opened = self.gate.failed()
        return Unavailable(
            f"{message} ({type(cause).__name__})",
            retry_after=self.gate.terms.open_for if opened else None,
            system=self.gate.system,
            connection_wide="CONNECTION_DOWN" if opened else "",
        )

    def _no_answer(
        self, writes: bool, what: str, cause: Exception | None, asked: timedelta | None = None
    ) -> Unavailable | Unknown:
        """Sent, with no answer that says anything."""
        opened = self.gate.failed()
        if writes:
            return Unknown(f"{self.gate.system} gave no clear answer to a write: {what}")
        return Unavailable(
            f"{self.gate.system} gave no usable answer: {what}",
            retry_after=asked or (self.gate.terms.open_for if opened else None),
            system=self.gate.system,
            connection_wide="CONNECTION_DOWN" if opened else "",
        )


class _Overlong(Exception):
    """The answer is larger or slower than any honest one."""


def safe_base(base: str) -> bool:
    """https anywhere, or http on this machine (a sandbox)."""
    parts = urlsplit(base)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return parts.scheme == "https" or (parts.scheme == "http" and local)


def _never_sent(error: requests.exceptions.RequestException) -> bool:
    """Whether the failure happened before any byte of the request left: no connection was made."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return type(reason).__name__ in {"NewConnectionError", "ConnectTimeoutError", "NameResolutionError"}


def _is_validation(document: Any) -> bool:
    """A 429 whose body complains about the request itself must never be retried (seen at Fulfil: page size)."""
    message = document.get("message") if isinstance(document, dict) else None
    return isinstance(message, str) and any(word in message for word in ("cannot exceed", "invalid", "Page size"))
