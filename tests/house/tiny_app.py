"""A Celery app as small as can be, for workers of test_local_nodes.py."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("tiny_app")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
if os.environ["CELERY_BROKER_URL"].startswith("redis"):  # come back after seconds, not after an hour
    app.conf.broker_transport_options = {
        "visibility_timeout": 2,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }


@app.task(name="hang_once")
def hang_once(file_name: str) -> None:
    """Note the process; the first one to come here never ends."""
    runs = Path(file_name)
    first = not runs.exists()
    with runs.open("a") as notes:
        notes.write(f"{os.getpid()}\n")
    if first:
        time.sleep(600)
