"""Broker, lanes, routes, limits and the beat schedule: everything an operator tunes about the machinery.

Each value has its reason beside it; what Celery 5.7 really does with it was measured before it was chosen.
"""

from kombu import Exchange, Queue

from integration.budget import LANES
from integration.settings import SettingsError, read_settings

_settings = read_settings()
broker_url = _settings.broker_url.reveal()
IS_REDIS = broker_url.startswith(("redis://", "rediss://"))
if not broker_url.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
    raise SettingsError("LOCKSTEP_BROKER_URL must be redis, rediss, amqp or amqps: only these bury their dead")

# Redis: direct, so that a publish goes straight to the list and no binding set can be lost.
# RabbitMQ: topic, because delayed delivery on quorum queues (Celery retries) needs it.
EXCHANGE = Exchange("lockstep", type="direct" if IS_REDIS else "topic", durable=True)
DEAD_LETTERS = Exchange("lockstep.dead", type="topic", durable=True)


def dead_letter_queue(lane: str) -> str:
    return f"{lane}.dlq"


def _lane(name: str) -> Queue:
    on_rabbit = {
        "x-queue-type": "quorum",  # replicated: survives the loss of a node
        "x-delivery-limit": 10,  # a poison message ends in the DLQ instead of going round for ever
        "x-overflow": "reject-publish",  # at-least-once dead-lettering requires it
        "x-dead-letter-exchange": DEAD_LETTERS.name,
        "x-dead-letter-routing-key": dead_letter_queue(name),
        "x-dead-letter-strategy": "at-least-once",
    }
    return Queue(name, EXCHANGE, routing_key=name, queue_arguments=None if IS_REDIS else on_rabbit)


task_queues = [_lane(name) for name in LANES]
task_default_queue = "orders"  # a forgotten route must not land in a corner that nobody watches
task_default_exchange = EXCHANGE.name
task_default_exchange_type = EXCHANGE.type
task_default_routing_key = "orders"
task_create_missing_queues = False  # a mistyped queue fails at publish instead of swallowing messages
task_routes = {f"{lane}.*": {"queue": lane, "routing_key": lane} for lane in LANES}  # a task's name says its lane

task_serializer = "json"  # no pickle: the broker must not be able to run code
accept_content = ["json"]
enable_utc = True
timezone = "UTC"

task_ignore_result = True  # the ledger knows; a result backend that is down would swallow failures
result_backend = None

task_acks_late = True  # a killed worker's message comes back
task_acks_on_failure = False  # a terminal failure is rejected and so reaches <lane>.dlq, alike on both brokers
task_acks_on_timeout = True  # rejecting a hard time-out would requeue it for ever; a signal records it
task_reject_on_worker_lost = True  # only where the retry below cannot be published
task_retry_on_worker_lost = True  # counts against max_retries: no poison loop
task_soft_time_limit = 0.75 * _settings.lease.total_seconds()  # links end well before: every call has its time-outs
task_time_limit = 0.9 * _settings.lease.total_seconds()  # below the lease, which never ends under a running link

task_publish_retry = False  # the sweeper rings again; nobody waits here for a broker that is away
broker_pool_limit = 10
broker_pool_acquire_timeout = 5

worker_prefetch_multiplier = 1  # fetch order is lane order
worker_disable_prefetch = IS_REDIS  # tasks waiting for their retry must not widen the window
worker_eta_task_limit = 200  # long waits stand in the ledger, not in a worker's memory
worker_cancel_long_running_tasks_on_connection_loss = False  # a killed ERP call is worse than a fenced duplicate
worker_max_tasks_per_child = 2_000  # hygiene against slow leaks
worker_max_memory_per_child = 400_000  # KiB
worker_soft_shutdown_timeout = 20
worker_send_task_events = True  # Flower
task_send_sent_event = False  # one more message a publish; what waits is counted in the ledger
worker_hijack_root_logger = False  # integration.telemetry owns logging
worker_redirect_stdouts = False
worker_proc_alive_timeout = 15  # slow imports are not dead children

broker_connection_retry = True
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # giving up gains nothing
broker_channel_error_retry = True  # a full Redis must not kill workers
broker_heartbeat = 30

if IS_REDIS:
    broker_transport_options = {
        "queue_order_strategy": "priority",  # the order of -Q is strict
        "visibility_timeout": 180,  # above the hard limit and any countdown (60 s); a lost message is back soon after
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 2,
        "socket_timeout": 5,  # above BRPOP's 1 s; without it a publisher can hang for ever
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "client_name": "lockstep",
        "max_connections": 50,
        "max_retries": 0,  # a publisher that finds no broker says so at once; the sweeper rings again
    }
else:
    broker_transport_options = {
        "confirm_publish": True,  # a message counts as published once the broker has it
        "read_timeout": 10,
        "write_timeout": 10,
        "max_retries": 0,  # as above
    }
    broker_native_delayed_delivery_queue_type = "quorum"

imports = (
    *("tasks.order_post", "tasks.shipment_update", "tasks.return_receipt", "tasks.credit_memo", "tasks.finance"),
    *(
        "tasks.intake",
        "tasks.shipment_watch",
        "tasks.stock_push",
        "tasks.product_launch",
        "tasks.archive",
        "tasks.aftersales",
        "tasks.upkeep",
        "tasks.dead_letters",
        "tasks.right_of_way",
    ),
)

beat_max_loop_interval = 5
beat_schedule = {
    # Every scheduled run is a row (name, slot): two beats, or beat and sweeper, are harmless.
    "canary": {"task": "orders.canary", "schedule": 60.0},
    "feeds": {"task": "orders.feeds", "schedule": 60.0},  # the sweeper does this too; one of them is enough
    "upkeep": {"task": "finance.upkeep", "schedule": 3600.0},
}
