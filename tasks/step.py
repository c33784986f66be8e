"""One link of a step: claim, run, sort what went wrong, settle. The only place that catches `Exception`.

A link is a function of `(job, world)` or, where it is set-based, of `(page, world)`. It raises the five failures of
`integration.errors`; what follows from each is decided here and written in one commit.
"""

import contextlib
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import sentry_sdk
import structlog
from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from integration.budget import OUTAGE_TYPES
from integration.domain.order import Key
from integration.effects import in_doubt
from integration.errors import LeaseLost, LockstepError, NotReady, Rejected, Unavailable, Unknown
from integration.store import StoreDown, documents, exceptions, ledger, lives, spending
from integration.store.ledger import Job, Outcome
from integration.wiring import World
from tasks import refusals
from tasks.celery import app, world
from tasks.refusals import Reader

log = structlog.get_logger()

MOST_ATTEMPTS = 10
"""Failures of one document in a row before a person must look."""
SHORT_WAIT = timedelta(seconds=60)
"""Up to here a wait is a Celery retry, visible in Flower; longer ones stand in the ledger."""
MOST_RETRIES = 3
PAGE_REFUSED_FOR = timedelta(minutes=5)
"""How long a page rests whose reading was refused: a contract changes by hand, not by waiting."""
SOON = timedelta(seconds=1)
LOOKS, A_MOMENT = 10, 0.05
"""How often and how many seconds apart a knock looks whether a page is done with its row."""
FIRST_LINKS = ("take", "post")
"""Links that others of an order's chain wait for."""
STALLED = {
    "order": "ORDER_STALLED",
    "shipment": "SHIPMENT_NOT_ACKED",
    "return": "RETURN_STALLED",
    "refund": "CREDIT_MISSING",
    "stock": "STOCK_PUSH_STALE",
    "product": "PRODUCT_STALLED",
    "archive": "PRODUCT_STALLED",
    "day": "SCHEDULE_MISSED",
}
"""What a document is a case of when the other side gives no answer again and again."""
ASK_AGAIN = timedelta(seconds=5)
"""How soon an unknown outcome is looked up."""


class Bug(LockstepError):
    """A fault of ours, named by its place only: its own words may hold personal data and go to the vault."""


class RefusedPage(Unavailable):
    """A read of a whole page was refused: one case for what was read, not one for every document of the page."""

    def __init__(self, error: Rejected, reader: Reader) -> None:
        super().__init__(str(error), retry_after=PAGE_REFUSED_FOR, system=reader.system, connection_wide=error.type)
        self.cause, self.reader = error.cause, reader


class Page(list[Job]):
    """The claimed rows of a set-based link. `with page.row(job):` keeps one row's failure from its neighbours."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.failed: dict[int, Exception] = {}

    @contextlib.contextmanager
    def row(self, job: Job) -> Iterator[None]:
        try:
            yield
        except (StoreDown, SoftTimeLimitExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - sorted by `_sort` like any other failure
            self.failed[job.id] = error


@dataclass(frozen=True, slots=True)
class Link:
    """A link and its terms. `worth_it` says, before anything is locked, whether to claim: most knocks are on doors that
    were opened, and a set-based link may wait for a fuller page.
    """

    kind: str
    name: str
    lane: str
    page: int
    function: Callable[[Any, World], None]
    worth_it: Callable[[Key, World], bool]


LINKS: dict[tuple[str, str], Link] = {}
"""Every link, by the kind of document it works on and its verb."""


def step(
    lane: str,
    *,
    kind: str = "order",
    page: int = 1,
    worth_it: Callable[[Key, World], bool] | None = None,
) -> Callable[[Callable[[Any, World], None]], Callable[[Any, World], None]]:
    """Make a function a link: a Celery task `<lane>.<function>` that takes a key. The link's name is its first verb."""

    def register(function: Callable[[Any, World], None]) -> Callable[[Any, World], None]:
        name = function.__name__.split("_")[0]
        link = Link(kind, name, lane, page, function, worth_it or partial(_is_due, name))
        LINKS[kind, link.name] = link

        @app.task(name=f"{lane}.{function.__name__}", bind=True, throws=(LockstepError,), max_retries=MOST_RETRIES)
        def task(self: Task, instance: str, kind: str, number: str) -> None:
            key = Key(instance, kind, number)
            verdict = run(link, key, world(), task_id=str(self.request.id), retries=self.request.retries)
            if verdict.retry_in is not None:
                # Whole seconds: RabbitMQ's delayed delivery cuts the rest off, and refuses 0 by killing the message.
                raise self.retry(countdown=math.ceil(verdict.retry_in.total_seconds()), exc=verdict.died)
            if verdict.died is not None:
                raise verdict.died

        return function

    return register


def _is_due(name: str, key: Key, world: World) -> bool:
    return lives.is_due(world.store, name, key)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the message's own document came to: done or parked (nothing set), to be retried soon, or dead."""

    retry_in: timedelta | None = None
    died: Exception | None = None


def run(link: Link, key: Key, world: World, *, task_id: str, retries: int = 0) -> Verdict:
    """Claim and work. Raises nothing of its own: a ledger that is away is left to the sweeper, who finds the lease ended."""
    try:
        if not link.worth_it(key, world):
            return _knock_again(link, key, world, retries)
        jobs = ledger.claim(
            world.store,
            link.name,
            key,
            owner=world.owner,
            task_id=task_id,
            lease=world.settings.lease,
            page=link.page,
        )
        if not jobs:
            return _knock_again(link, key, world, retries)
        world.point(f"{link.name}.claimed")
        page = Page(jobs)
        _work(link, page, world)
        verdict = _settle(link, page, world, key, retries)
        if link.page > 1 and len(jobs) == link.page:
            _go_on(link, key, world)
        for job in jobs:
            if job.again and job.id not in page.failed:
                world.ring(job.again, job.key)
    except StoreDown as error:
        log.error("ledger.away", link=link.name, key=str(key), error=str(error))
        return Verdict()
    return verdict


def _knock_again(link: Link, key: Key, world: World, retries: int) -> Verdict:
    """Nothing to do here, unless somebody's page holds the row right now: then the chain must not run past it. A page takes
    a moment, and a retry a whole second: so it waits a little first.
    """
    if link.kind != "order" or link.name not in FIRST_LINKS or retries >= MOST_RETRIES:
        return Verdict()
    for _ in range(LOOKS):
        if not lives.is_held(world.store, key):
            return Verdict()
        world.clock.sleep(A_MOMENT)
    return Verdict(retry_in=SOON)


def _go_on(link: Link, key: Key, world: World) -> None:
    """A full page may have left some behind, whose own knocks have passed."""
    left = lives.another(world.store, link.name, key)
    if left is not None:
        world.ring(link.name, left)


def _work(link: Link, page: Page, world: World) -> None:
    for job in [job for job in page if job.row.attempts >= MOST_ATTEMPTS * 2]:
        page.failed[job.id] = Bug(f"{link.name}: stopped its worker again and again")
    fit = Page([job for job in page if job.id not in page.failed])
    try:
        if not fit:
            return
        link.function(fit if link.page > 1 else fit[0], world)
    except StoreDown:
        raise
    except SoftTimeLimitExceeded:
        slow = Unavailable(f"{link.name} took longer than a worker may take", system=_system(link, fit))
        page.failed |= {job.id: slow for job in fit if job.id not in fit.failed}
    except Rejected as error:
        refused = RefusedPage(error, _reader(link, fit)) if link.page > 1 else error
        page.failed |= {job.id: refused for job in fit if job.id not in fit.failed}
    except Exception as error:  # noqa: BLE001 - sorted by `_sort`
        page.failed |= {job.id: error for job in fit if job.id not in fit.failed}
    page.failed |= fit.failed


def _system(link: Link, page: Page) -> str:
    """Whom a page was asked of: the storefront by its instance, an ERP by its connection."""
    asks_storefront = link.name == "take" and link.kind in ("order", "return", "refund", "product", "archive")
    return page[0].key.instance if asks_storefront else str(page[0].row.connection)


def _reader(link: Link, page: Page) -> Reader:
    return Reader(_system(link, page), f"{link.kind} {link.name}")


def _settle(link: Link, page: Page, world: World, key: Key, retries: int) -> Verdict:
    """Write every row's outcome in one commit and say what becomes of the message: it stands for its own row alone."""
    if link.page > 1 and not page.failed:
        reader = _reader(link, page)
        page[0].also(lambda tx: refusals.answered(tx, reader))
    sorted_out = [_sort(link, job, page.failed.get(job.id), world, retries) for job in page]
    lost = ledger.settle(world.store, link.name, [fate.outcome for fate in sorted_out if fate.outcome])
    for fate in sorted_out:
        log.info("link", link=link.name, key=str(fate.job.key), outcome=fate.word, note=fate.note)
    own = next(fate for fate in sorted_out if fate.job.key == key)
    if own.job in lost:
        return Verdict()
    return Verdict(own.retry_in, own.died)


@dataclass
class _Fate:
    """A job's outcome on its way to the ledger."""

    job: Job
    word: str
    note: str
    outcome: Outcome | None = None
    retry_in: timedelta | None = None
    died: Exception | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def _sort(link: Link, job: Job, error: Exception | None, world: World, retries: int) -> _Fate:
    """The five ways to fail, and what follows from each."""
    if error is None:
        return _done(job)
    if isinstance(error, LeaseLost):
        return _Fate(job, "lost", str(error))
    if isinstance(error, NotReady):
        return _wait(job, "parked", error, until=error.until - world.store.now(), counts=False)
    if isinstance(error, Unavailable):
        return _unavailable(job, error, world, retries)
    if isinstance(error, Unknown):
        if job.row.attempts + 1 >= MOST_ATTEMPTS:
            return _dead(job, Rejected(in_doubt(job.key.kind), f"{link.name} in doubt", str(error)), world)
        return _wait(job, "unknown", error, until=ASK_AGAIN, counts=True)
    if isinstance(error, Rejected):
        return _dead(job, error, world)
    return _bug(link, job, error, world)


def _done(job: Job) -> _Fate:
    values = {"not_before": None, "attempts": 0, "reason": job.note or job.row.reason, **job.values}
    if job.state is not None:
        values["state"] = job.state
    word = "parked" if job.state == "held" or values["not_before"] is not None else "done"
    return _Fate(job, word, job.note, Outcome(job, word, job.note, values, acts=tuple(job.acts)))


def _wait(
    job: Job, word: str, error: Exception, *, until: timedelta, counts: bool, acts: tuple[Any, ...] = ()
) -> _Fate:
    """Park in the ledger."""
    note = str(error)

    def due(tx: Any) -> None:
        ledger.park(tx, job, tx.now + until)

    values = {"reason": note} if job.state is None else {"reason": note, "state": job.state}
    outcome = Outcome(job, word, note, values, counts=counts, acts=(due, *acts))
    return _Fate(job, word, note, outcome)


def _unavailable(job: Job, error: Unavailable, world: World, retries: int) -> _Fate:
    """Wait as told; without being told, longer every time. A connection-wide outage opens one case for the connection."""
    counts = error.retry_after is None
    if counts and job.row.attempts + 1 >= MOST_ATTEMPTS:
        return _dead(job, Rejected(STALLED[job.key.kind], f"{error.system} gives no answer", str(error)), world)
    backoff = min(2 ** (job.row.attempts + 1), 300) * world.chance.uniform(0.5, 1.0)
    wait = error.retry_after if error.retry_after is not None else timedelta(seconds=backoff)
    acts = (outage(error, world),) if error.connection_wide else ()
    fate = _wait(job, "retry", error, until=wait, counts=counts, acts=acts)
    if wait <= SHORT_WAIT and retries < MOST_RETRIES and not error.connection_wide:
        fate.retry_in = wait + timedelta(milliseconds=100)
    return fate


def outage(error: Unavailable, world: World) -> Callable[[Any], None]:
    """An act that opens the one case of a connection that is down, refuses our credentials, or refuses a read."""
    case = world.case(
        error.connection_wide,
        error.cause if isinstance(error, RefusedPage) else error.system,
        str(error),
        connection=error.system,
    )

    def open_case(tx: Any) -> None:
        """Unless the connection has recovered since: then nobody would come to close the case."""
        breaker = spending.breaker_of(tx, error.system)
        over = breaker is None or breaker.open_since is None
        if not (over and error.connection_wide in OUTAGE_TYPES):
            exceptions.open_case(tx, case)
        if isinstance(error, RefusedPage):
            refusals.remember(tx, error.reader, case.type, case.cause)

    return open_case


def _dead(job: Job, error: Rejected, world: World, died: Exception | None = None) -> _Fate:
    """A person or a changed cause must act: one case, with what the other side said sealed beside it."""
    rule = world.playbook.rule(error.type)
    told = {**{name: job.row._mapping[name] for name in ("connection", "currency", "total_minor")}, **job.values}

    def open_case(tx: Any) -> None:
        sealed = None
        if error.evidence:
            sealed = documents.put(tx, world.vault, job.id, "evidence", error.evidence.encode("utf-8", "replace"))
        case = world.case(
            error.type,
            error.cause,
            str(error),
            instance=job.key.instance,
            connection=told["connection"] or "",
            job_id=job.id,
            document_id=sealed,
            money_minor=told["total_minor"] or 0,
            currency=told["currency"] or "",
        )
        exceptions.open_case(tx, case)

    values = {**job.values, "state": "dead", "reason": f"{rule.title}: {error}", "not_before": None, "attempts": 0}
    outcome = Outcome(job, "dead", str(error), values, acts=(*job.acts, open_case))
    return _Fate(job, "dead", str(error), outcome, died=died or error)


def _bug(link: Link, job: Job, error: Exception, world: World) -> _Fate:
    """One retry, then a dead letter with everything needed to replay it."""
    place = place_of(error)
    sentry_sdk.capture_exception(error)
    log.error("bug", link=link.name, key=str(job.key), place=place)
    shown = error if isinstance(error, Bug) else Bug(place)
    if job.row.attempts == 0 and not isinstance(error, Bug):
        fate = _wait(job, "retry", shown, until=ASK_AGAIN, counts=True)
        fate.retry_in = ASK_AGAIN + timedelta(milliseconds=100)
        return fate
    words = "".join(traceback.format_exception(error))
    rejected = Rejected("DEAD_LETTER", place, f"a fault of ours in {place}", evidence=words)
    return _dead(job, rejected, world, died=shown)


def place_of(error: Exception) -> str:
    """`KeyError in wire.py:41`: where our own code stood when it happened."""
    frames = traceback.extract_tb(error.__traceback__ or sys.exc_info()[2])
    ours = [f for f in frames if "site-packages" not in f.filename] or frames
    where = f" in {ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{where}"
