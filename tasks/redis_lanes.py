"""Redis lanes that bury their dead: `reject(requeue=False)` moves the message to `<queue>.dlq` in one step.

Stock kombu forgets a rejected message on Redis. RabbitMQ dead-letters it; this gives Redis the same, so that a terminal
failure is one letter on both. Installed in place of kombu's transport, so the address stays `redis://`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from kombu import transport
from kombu.transport import redis as stock
from kombu.transport import virtual
from kombu.utils.json import dumps

SUFFIX = ".dlq"

BURY = """
local held = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if held == 1 then
  redis.call('LPUSH', KEYS[3], ARGV[2])
end
return held
"""
"""Only who still holds the message buries it: one that was restored meanwhile belongs to another worker."""


class QoS(stock.QoS):
    """Acknowledgements that know dead-letter queues."""

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        message = self._delivered.get(delivery_tag)
        queue = None if requeue or message is None else self._queue_of(message)
        if queue is None or queue.endswith(SUFFIX):
            super().reject(delivery_tag, requeue=requeue)
            return
        prefix = self.channel.global_keyprefix
        with self.channel.conn_or_acquire() as client:
            bury = client.register_script(BURY)
            keys = [self.unacked_key, prefix + self.unacked_index_key, prefix + queue + SUFFIX]
            bury(keys=keys, args=[delivery_tag, dumps(_with_death(message._raw, queue))], client=client)
        virtual.QoS.ack(self, delivery_tag)

    def _queue_of(self, message: Any) -> str | None:
        told = message.delivery_info or {}
        return next(iter(self.channel._lookup(told.get("exchange"), told.get("routing_key"))), None)


def _with_death(raw: dict[str, Any], queue: str) -> dict[str, Any]:
    headers = raw.get("headers") or {}
    deaths = [*(headers.get("x-death") or []), {"queue": queue, "reason": "rejected", "time": time.time()}]
    return {**raw, "headers": {**headers, "x-death": deaths}}


class Channel(stock.Channel):
    """A channel that keeps its client: kombu makes a new one for every operation, which costs more than the operation."""

    QoS = QoS

    @cached_property
    def _kept_client(self) -> Any:
        return self._create_client()

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        yield client or self._kept_client


class Transport(stock.Transport):
    Channel = Channel


def install() -> None:
    """Make `redis://` and `rediss://` mean these lanes, in this process."""
    for scheme in ("redis", "rediss"):
        transport.TRANSPORT_ALIASES[scheme] = "tasks.redis_lanes:Transport"
