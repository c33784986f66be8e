"""Who calls, what they may see, and how often: tokens, channel permissions, the request limit per user."""

from collections import Counter
from collections.abc import Callable

from integration.sandbox.clock import Clock
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import Refused, Reply, http_error

TOKEN = "sandbox-token"  # noqa: S105  published on purpose: it opens nothing but this sandbox
"""The token of the sandbox's own user (id 1), valid from the start."""


class Access:
    """Tokens act as their user, with that user's channels (vendor's authentication guide)."""

    def __init__(self, records: Records, clock: Clock, switches: FulfilSwitches) -> None:
        self._records, self._clock, self._switches = records, clock, switches
        self.tokens: dict[str, int] = {TOKEN: 1}
        self._window = 0
        self._spent: Counter[int] = Counter()

    def user(self, api_key: str | None, authorization: str | None) -> int:
        """The id of the calling user, from `X-API-KEY` or `Authorization: Bearer`; raises the 401."""
        scheme, _, bearer = (authorization or "").partition(" ")
        token = api_key or (bearer.strip() if scheme.lower() == "bearer" else None)
        if token not in self.tokens:
            raise http_error(401)
        return self.tokens[token]

    def may_create(self, user: int, channel: int) -> bool:
        return channel in self._records.rows["res.user"][user]["allowed_create_channels"]

    def visible(self, model: str, user: int) -> Callable[[Row], bool] | None:
        """Which rows the user sees; None for all. Only sales and their lines are bounded here."""
        if model not in ("sale.sale", "sale.line"):
            return None
        allowed = self._records.rows["res.user"][user]["allowed_read_channels"]
        if len(allowed) == len(self._records.rows["sale.channel"]):
            return None
        if model == "sale.sale":
            return lambda row: row["channel"] is None or row["channel"] in allowed
        sales = self._records.rows["sale.sale"]
        return lambda row: row["sale"] in sales and sales[row["sale"]]["channel"] in allowed

    def spend(self, user: int) -> list[tuple[str, str]]:
        """Count one request of `user`; the X-RateLimit headers for its answer, or the 429."""
        limit = self._switches.rate_limit
        if not limit:
            return []
        second = int(self._clock.now().timestamp())
        if second != self._window:
            self._window, self._spent = second, Counter()
        self._spent[user] += 1
        headers = [
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(max(0, limit - self._spent[user]))),
            ("X-RateLimit-Reset", str(second + 1)),
        ]
        if self._spent[user] <= limit:
            return headers
        refused = http_error(429).reply
        if self._switches.retry_after:
            headers.append(("Retry-After", "1"))
        raise Refused(Reply(refused.status, refused.body, refused.content_type, headers))
