"""Who calls and what they may: OrderWise's API users, their tokens, and the ticks of their user group."""

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from integration.sandbox.clock import Clock
from integration.sandbox.orderwise_catalogue import PASSWORD, USER
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_wire import Refused, Reply, answer

AREAS = ("sales orders", "customers", "variants", "stock", "system", "value lists", "export definitions")
"""What a user group has ticks for; the division is ours."""


class Access:
    """`GET /token/gettoken` with Basic answers a token inside double quotes; a wrong login is 401 without a body."""

    def __init__(self, clock: Clock, switches: OrderWiseSwitches, random: Random) -> None:
        self._clock, self._switches, self._random = clock, switches, random
        self.users: dict[str, str] = {USER: PASSWORD}
        self.forbidden: dict[str, set[str]] = {USER: set()}
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._window = 0
        self._spent: Counter[str] = Counter()

    def login(self, authorization: str | None) -> Reply:
        """The token, as a JSON string."""
        user = self._user(authorization)
        if user is None:
            raise Refused(401, "", bare=True)
        if self._switches.second_login == "newest-lives":
            self.expire(user)
        token = hashlib.sha256(self._random.randbytes(16)).hexdigest()
        self._tokens[token] = user, self._clock.now()
        return answer(f"eyJ0eXAiOiJKV1QifQ.{token}")

    def caller(self, authorization: str | None) -> str:
        """The user of a live token; raises the 401."""
        scheme, _, words = (authorization or "").partition(" ")
        token = words.strip().rpartition(".")[2]
        known = self._tokens.get(token) if scheme.lower() == "bearer" else None
        if known is None or words.strip() != f"eyJ0eXAiOiJKV1QifQ.{token}":
            raise Refused(401, "Authorization has been denied for this request.")
        user, since = known
        life = self._switches.token_minutes
        if life and self._clock.now() - since >= timedelta(minutes=life):
            raise Refused(401, "Authorization has been denied for this request.")
        return user

    def expire(self, user: str | None = None) -> None:
        """Every token (of `user`) is dead from now on; the next login makes another."""
        self._tokens = {token: known for token, known in self._tokens.items() if user not in (None, known[0])}

    def admit(self, user: str, area: str) -> None:
        """Raises 403 where the user group has no tick, 429 where calls are counted and too many."""
        if area in self.forbidden.get(user, ()):
            raise Refused(403, "You do not have permission to use this area of the API.")
        limit = self._switches.rate_limit
        second = int(self._clock.now().timestamp())
        if second != self._window:
            self._window, self._spent = second, Counter()
        self._spent[user] += 1
        if limit and self._spent[user] > limit:
            raise Refused(429, "Too many requests.")

    def tick(self, area: str, user: str = USER, *, may: bool) -> None:
        """Set or take away a tick of the user's group; raises `ValueError` for an area that is not."""
        if area not in AREAS:
            raise ValueError(f"no area {area!r}; there are: {', '.join(AREAS)}")
        change: Callable[[str], None] = self.forbidden[user].discard if may else self.forbidden[user].add
        change(area)

    def _user(self, authorization: str | None) -> str | None:
        scheme, _, words = (authorization or "").partition(" ")
        try:
            user, _, password = base64.b64decode(words, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user if scheme.lower() == "basic" and self.users.get(user) == password else None
