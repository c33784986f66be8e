"""The Celery app: `celery -A tasks worker`."""

import os
import socket
import time
from functools import cache
from typing import Any

import structlog
from celery import Celery, chain
from celery.signals import setup_logging, worker_process_init
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

CHAINS = {"take": ("take", "post", "prove"), "post": ("post", "prove"), "prove": ("prove",), "cancel": ("cancel",)}
"""Which links a ring publishes: the fast path from there on. Where a chain breaks off, the sweeper rings what is due."""

TASKS = {name: f"orders.{name}_order" for name in ("take", "post", "prove", "cancel")}


DEAF_FOR = 5.0
"""Seconds without a ring after one that nobody heard: a thousand keys must not wait for a broker one by one."""
_deaf = {"until": 0.0}


def ring(link: str, key: Key) -> None:
    """Publish a chain for a key, best effort: the row is the job, so a broker that is away only costs a sweep."""
    if time.monotonic() < _deaf["until"]:
        return
    links = [app.signature(TASKS[name], args=tuple(key), immutable=True) for name in CHAINS[link]]
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


@worker_process_init.connect
def _forked(**_: Any) -> None:
    """A child makes its own world: connections and sessions are never shared across a fork."""
    world.cache_clear()
