"""Every class of fault, in swarm style: a seed switches each class on with p = 0.6 and draws its rate from 2 to 25 %.

A call over the wire suffers at most one fault. It is hit with the largest rate among the classes that can befall it, and
by one of them in proportion to their rates: a dozen independent classes would leave no call whole.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Container, Mapping
from random import Random
from zlib import crc32

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from integration.sandbox.faults import Faults, Plan
from integration.store import Store

ON = 0.6
NEVER = -1.0
"""The rate of a class that a test does without; one that a seed has switched off may still be sure of its one turn."""
LOWEST, HIGHEST = 0.02, 0.25
PER_POINT = 0.1
OFTEN = ("crash", "pause", "database busy")
"""Drawn at each of the hundred seams and transactions of an order: at a tenth of the rate, or no order got through."""

_SILENT = ("error-before", "timeout-before", "unavailable", "html", "not-json")
_THROTTLED = ("throttled", "throttled-date", "throttled-timestamp", "throttled-silent")
_AFTER = ("error-after", "timeout-after", "drop-after")

_WRITE = (*_SILENT, *_AFTER, "throttled", "slow", "user-error")

CALLS: dict[str, tuple[str, ...]] = {
    "centra read": (*_SILENT, *_THROTTLED, "slow", "partial"),
    "centra write": (*_SILENT, *_AFTER),
    "fulfil read": (*_SILENT, *_THROTTLED, "slow"),
    "fulfil create": (
        *(*_SILENT, *_AFTER, "throttled", "late", "very-late", "slow"),
        *("duplicate-race", "search-lag", "channel-exception", "recalculated", "user-error"),
    ),
    "fulfil cancel": (*_SILENT, *_AFTER, "throttled", "user-error"),
    "centra shipment": (*_WRITE, "partial", "late"),
    "centra capture": (*_WRITE, "partial"),
    "centra completion": (*_WRITE, "partial"),
    "centra stock": (*_WRITE, "partial"),
    "centra return": (*_WRITE, "partial"),
    "fulfil return": (*_WRITE, "late", "search-lag", "duplicate-race"),
    "fulfil memo": (*_WRITE, "late", "search-lag", "recalculated"),
    "fulfil posting": _WRITE,
    "orderwise login": _SILENT,
    "orderwise read": (*_SILENT, *_THROTTLED, "slow", "unauthorised", "forbidden"),
    "orderwise create": (
        *(*_SILENT, *_AFTER, "throttled", "late", "very-late", "slow", "unauthorised"),
        *("duplicate-race", "queued", "import-fails", "recalculated", "repriced-tax"),
    ),
    "orderwise session": ("ack-lost", "pull-lost", "garbled"),
    "orderwise import": ("import-fails", "recalculated", "repriced-tax"),
    "orderwise memo": ("error-before", "timeout-after", "refused", "queued"),
}
"""What can befall a call, by kind of call; the sandbox knows these faults by their second part.

`late` takes effect within the time that an effect of class C waits, `very-late` after it.
"""

MOMENTS = ("capture-fails", "settlement-fails", "clamp")
"""What Centra or its payment provider does without any call going wrong."""
WEBHOOKS = ("webhook-lost", "webhook-doubled", "webhook-late", "webhook-forged", "webhook-reordered")

OTHERS = (
    *("crash", "pause"),
    *("message lost", "message doubled", "message reordered", "broker wiped"),
    *(*WEBHOOKS, "events-doubled"),
    *MOMENTS,
    *("database busy", "host unreachable", "outage", "token revoked"),
)

OLD_ANSWER, CLOSED = "orderwise answers late what it read at once", "one ERP is closed"
BESIDE = (OLD_ANSWER, CLOSED)
"""Only where there are two ERPs."""

FAULTS: tuple[str, ...] = (*OTHERS, *(f"{kind}: {name}" for kind, names in CALLS.items() for name in names), *BESIDE)
"""All declared classes: a batch in which one of them never fired has not tested it."""
OF_ORDERWISE = tuple(name for name in FAULTS if name.startswith("orderwise") or name in BESIDE)
"""Their rates are drawn apart, so that a seed without OrderWise is the same as ever."""

BLOCKS = (
    *("centra read", "fulfil read", "fulfil create", "host unreachable", "outage", "token revoked", "database busy"),
    *("orderwise login", "orderwise read", "orderwise create", "orderwise session", "orderwise import"),
)
"""What keeps orders from becoming parcels at all. Once it has had its time it ends before the rest, or nothing would ever be
shipped, returned or credited while faults last.
"""

BEFORE_MONEY_GOES_BACK = (
    *BLOCKS,
    "fulfil cancel",
    "centra shipment",
    "centra capture",
    "centra completion",
    "centra stock",
)
"""All calls but those of returns and credit memos, which come last in the life of an order."""

SURE_EVERY, RARE_SURE_EVERY = 7, 3
"""No class may depend on luck: each seed is sure of a seventh of them once, at the first opportunity; of a third of those
of rare calls, because few seeds have more than one or two that could suffer them."""
MONEY_BACK = ("fulfil return", "fulfil memo", "fulfil posting", "centra return")
FEWEST = "orderwise memo"
"""Three of three hundred seeds post credits into OrderWise, one of them while faults last: what befalls one is played fault by fault in
`tests/steps`, and here only beside everything else.
"""
RARE = (
    *MONEY_BACK,
    *("fulfil cancel", "settlement-fails", "clamp", "centra shipment", "centra capture", "centra completion"),
    *OF_ORDERWISE,
)
PRESSED = (*MONEY_BACK, "centra completion", FEWEST)
"""Fewest of all: whole seeds are pressed for them, by turns for the first and for the last."""
ALWAYS_SURE = ("orderwise create", "orderwise session", "orderwise import")
"""Once in every seed: sixty of three hundred have them, and one or two of each call while faults last."""
DOOMED_EVERY = 5
"""The same for the seams of the product, whatever their names: at a fifth of them somebody is surely killed once."""
STOPPED_EVERY = 3
"""And in a third of the seeds a worker is surely stopped between its last look at the lease and its call."""

_KIND_OF_OPERATION = {
    **dict.fromkeys(("search_read", "search", "read", "get", "list"), "fulfil read"),
    "create_order": "fulfil create",
    "cancel": "fulfil cancel",
    **dict.fromkeys(("confirmEvents", "setEventListeners"), "centra write"),
    **dict.fromkeys(("orders", "events", "returns", "warehouses", "productSizes"), "centra read"),
    "createShipment": "centra shipment",
    "captureShipment": "centra capture",
    "completeShipment": "centra completion",
    "setStock": "centra stock",
    "completeReturn": "centra return",
    "return_order": "fulfil return",
    "create_invoice": "fulfil memo",
    "post": "fulfil posting",
}
KINDS_OF_ORDERWISE = {
    "token": "orderwise login",
    "export_definition": "orderwise read",
    "create_order": "orderwise create",
    "create_credit": "orderwise memo",
    "session": "orderwise session",
    "session_import": "orderwise import",
}


class Swarm:
    """Which classes this seed has, and how often each fired. `clear_the_way()` ends some of them, `calm()` all."""

    def __init__(
        self, seed: int, told: Callable[[str], None], without: Collection[str] = (), often: Collection[str] = ()
    ) -> None:
        self.random = Random(f"{seed}:fault")
        self.told = told
        apart = Random(f"{seed}:fault:orderwise")
        self.rates = {name: _drawn(apart if name in OF_ORDERWISE else self.random) for name in FAULTS}
        self.rates |= dict.fromkeys(without, NEVER)
        self.rates |= dict.fromkeys(often, HIGHEST)
        self.fired: Counter[str] = Counter()
        self.raging = True
        self.sure = {name for place, name in enumerate(FAULTS) if (place + seed) % _turn(name) == 0} - set(without)
        self.seed, self.passed = seed, Counter[str]()

    def clear_the_way(self, classes: tuple[str, ...] = BLOCKS) -> None:
        """End what keeps orders back; what befalls what follows them, and workers, goes on."""
        self.rates |= {name: NEVER for name in FAULTS if name.startswith(classes)}
        self.sure = {name for name in self.sure if self.rates[name] != NEVER}

    def press(self, classes: tuple[str, ...]) -> None:
        """Have these at the highest rate, and be sure of each of them: few seeds get as far as they are."""
        pressed = {name for name in FAULTS if name.startswith(classes) and self.rates[name] != NEVER}
        self.rates |= dict.fromkeys(pressed, HIGHEST)
        self.sure |= pressed

    def calm(self) -> None:
        self.raging = False

    def hit(self, name: str) -> bool:
        """Whether this fault happens here and now."""
        scale = PER_POINT if name in OFTEN else 1.0
        if not self.raging or (name not in self.sure and self.random.random() >= self.rates[name] * scale):
            return False
        return self._fires(name)

    def kills_at(self, point: str) -> bool:
        """Whether the one who passes a seam is killed there. Every tenth seed is whole: the turn goes round these, too."""
        if not self.raging:
            return False
        self.passed[point] += 1
        place = crc32(point.encode()) + self.seed + self.seed // 10
        doomed = place % DOOMED_EVERY == 0 and self.passed[point] == 1 + place // DOOMED_EVERY % 3
        if doomed and self.rates["crash"] != NEVER:
            return self._fires("crash")
        return self.hit("crash")

    def stops_at(self, point: str) -> bool:
        """Whether the one who passes a seam is stopped there for minutes."""
        fatal = point == "effect.before-send" and self.passed[point] == 2 and self.seed % STOPPED_EVERY == 0
        if fatal and self.raging and self.rates["pause"] != NEVER:
            return self._fires("pause")
        return self.hit("pause")

    def decided(self, name: str) -> None:
        """What the seed itself has decided happens now."""
        self._fires(name)

    def _fires(self, name: str) -> bool:
        self.sure.discard(name)
        self.fired[name] += 1
        if name not in ("crash", "pause"):  # told in more words by the scheduler
            self.told(f"fault: {name}")
        return True

    def one_of(self, names: list[str]) -> str | None:
        """At most one of several faults that exclude each other."""
        rates = [self.rates[name] for name in names]
        if not self.raging:
            return None
        turn = 20 if names[0].startswith(PRESSED) else 10  # of whole seeds every second is pressed for the same
        first = self.seed // turn % len(names)  # else what stands last would never have its turn where calls are few
        sure = [name for name in (*names[first:], *names[:first]) if name in self.sure]
        name = sure[0] if sure else None
        if name is None and self.random.random() < max(rates):
            (name,) = self.random.choices(names, [max(rate, 0.0) for rate in rates])
        if name is not None:
            self._fires(name)
        return name


class BusyStore(Store):
    """A ledger that now and then is busy for longer than anybody waits, as SQLite says it."""

    is_busy: Callable[[], bool] = staticmethod(lambda: False)

    def begin(self, connection: Connection, *, writes: bool) -> None:
        if self.is_busy():
            raise OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))
        super().begin(connection, writes=writes)


def _drawn(random: Random) -> float:
    """Two draws for every class, on or off, so that a class more does not reshuffle the others' rates."""
    on, rate = random.random() < ON, random.uniform(LOWEST, HIGHEST)
    return rate if on else 0.0


def _turn(name: str) -> int:
    return 1 if name.startswith(ALWAYS_SURE) else RARE_SURE_EVERY if name.startswith(RARE) else SURE_EVERY


class SwarmFaults(Faults):
    """A sandbox's faults, decided by the swarm at the moment of the call; `kinds` of call by operation."""

    def __init__(self, known: dict[str, str], swarm: Swarm, kinds: Mapping[str, str] = _KIND_OF_OPERATION) -> None:
        super().__init__(known)
        self.swarm, self.kinds = swarm, kinds

    def due(
        self, operation: str, number: str | None = None, asked: str = "", among: Container[str] | None = None
    ) -> Plan | None:
        if operation == "webhook":
            name = self.swarm.one_of(list(WEBHOOKS))
            return Plan(name, operation, seconds=self.swarm.random.uniform(1, 300)) if name else None
        if operation == "events" and among is not None and "events-doubled" in among:
            return Plan("events-doubled") if self.swarm.hit("events-doubled") else None
        if among is not None and (moments := [name for name in MOMENTS if name in among]):
            return Plan(moments[0], operation) if self.swarm.hit(moments[0]) else None
        kind = self.kinds.get(operation)
        if kind is None or (among is not None and CALLS[kind][0] not in among):
            return None
        found = self.swarm.one_of([f"{kind}: {name}" for name in CALLS[kind]])
        if found is None:
            return None
        name = found.split(": ")[1]
        return Plan(name.removeprefix("very-"), operation, seconds=self._seconds(name))

    def _seconds(self, fault: str) -> float:
        low, high = {"late": (5, 60), "very-late": (90, 240), "search-lag": (1, 50)}.get(fault, (1, 12))
        return self.swarm.random.uniform(low, high)
