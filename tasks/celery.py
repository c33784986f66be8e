"""The Celery app: `celery -A tasks worker`."""

import os
import socket
import time
from functools import cache
from typing import Any

import structlog
from celery import Celery, chain
from celery.signals import celeryd_after_setup, setup_logging, worker_process_init
from kombu.exceptions import LimitExceeded, OperationalError

from integration import telemetry
from integration.domain.order import Key
from integration.settings import read_settings
from integration.store.migrate import require_current
from integration.wiring import World, build_world
from tasks.redis_lanes import install

install()
app = Celery("tasks")
app.config_from_object("celeryconfig")
log = structlog.get_logger()

_ORDER = {"take": ("take", "post", "prove"), "post": ("post", "prove"), "prove": ("prove",), "cancel": ("cancel",)}
_SHIPMENT = ("take", "create", "capture", "complete", "prove")

CHAINS: dict[tuple[str, str], tuple[str, ...]] = {
    **{("order", link): chain for link, chain in _ORDER.items()},
    **{("shipment", link): _SHIPMENT[place:] for place, link in enumerate(_SHIPMENT)},
    **{("return", link): (link,) for link in ("take", "open", "complete", "cancel")},
    **{("refund", link): chain for link, chain in _ORDER.items() if link != "cancel"},
    ("stock", "take"): ("take", "push", "prove"),
    ("stock", "push"): ("push", "prove"),
    ("stock", "prove"): ("prove",),
    ("product", "take"): ("take", "create", "offer"),
    ("product", "create"): ("create", "offer"),
    ("product", "offer"): ("offer",),
    **{("archive", link): (link,) for link in ("take", "stop", "deactivate", "archive")},
    ("day", "reconcile"): ("reconcile", "settle", "report"),
    ("day", "settle"): ("settle", "report"),
    ("day", "report"): ("report",),
}
"""Which links a ring publishes, by kind of document: the fast path from there on. Where a chain breaks off, the sweeper
rings what is due."""

TASKS: dict[tuple[str, str], str] = {
    **{("order", link): f"orders.{link}_order" for link in ("take", "post", "prove", "cancel")},
    ("shipment", "take"): "shipments.take_dispatch",
    **{("shipment", link): f"shipments.{link}_shipment" for link in ("create", "capture", "complete", "prove")},
    **{("return", link): f"returns.{link}_return" for link in ("take", "open", "complete", "cancel")},
    ("refund", "take"): "finance.take_refund",
    **{("refund", link): f"finance.{link}_memo" for link in ("post", "prove")},
    **{("stock", link): f"stock.{link}_levels" for link in ("take", "push", "prove")},
    **{("product", link): f"stock.{link}_product" for link in ("take", "create", "offer")},
    ("archive", "take"): "stock.take_archive",
    ("archive", "stop"): "stock.stop_selling",
    ("archive", "deactivate"): "stock.deactivate_items",
    ("archive", "archive"): "stock.archive_product",
    **{("day", link): f"finance.{link}_day" for link in ("reconcile", "settle", "report")},
}
"""The task of each link; a house test holds it against the links that there are."""

DEAF_FOR = 5.0
"""Seconds without a ring after one that nobody heard: a thousand keys must not wait for a broker one by one."""
_deaf = {"until": 0.0}


def ring(link: str, key: Key) -> None:
    """Publish a chain for a key, best effort: the row is the job, so a broker that is away only costs a sweep."""
    if time.monotonic() < _deaf["until"]:
        return
    names = [TASKS[key.kind, name] for name in CHAINS[key.kind, link]]
    links = [app.signature(name, args=tuple(key), immutable=True) for name in names]
    try:
        (chain(*links) if len(links) > 1 else links[0]).apply_async(retry=False)
    except (OperationalError, LimitExceeded, OSError) as error:
        _deaf["until"] = time.monotonic() + DEAF_FOR
        log.warning("ring.unheard", link=link, key=str(key), error=type(error).__name__)


@cache
def world() -> World:
    """This process's world, made when first needed and after any fork."""
    made = build_world(read_settings(), ring=ring, owner=f"{socket.gethostname()}:{os.getpid()}")
    require_current(made.store)
    return made


@setup_logging.connect
def _logging(**_: Any) -> None:
    telemetry.configure(read_settings())


@celeryd_after_setup.connect
def reserve_orders(sender: str, instance: Any, **_: Any) -> None:
    """RabbitMQ knows no order of queues: an order could be handed to the Procfile's `lanes` worker while its hands are full.
    There orders have workers of their own alone; a worker of another name hears what it was told to.
    """
    queues = instance.app.amqp.queues
    on_redis = instance.app.conf.broker_url.startswith("redis")
    if sender.startswith("lanes@") and not on_redis and len(queues.consume_from) > 1:
        queues.deselect(["orders"])


@worker_process_init.connect
def _forked(**_: Any) -> None:
    """A child makes its own world: connections and sessions are never shared across a fork."""
    world.cache_clear()
