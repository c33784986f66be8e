"""Our lanes with tasks that die in every way there is: a worker's app, and `python dying_app.py send` fills its lane."""

import os
import signal
import sys
import time
from pathlib import Path

from celery import Celery, Task
from celery.exceptions import Reject
from celery.signals import worker_init

from tasks.dead_letters import declare
from tasks.redis_lanes import install

install()
app = Celery("dying_app")
app.config_from_object("celeryconfig")
app.conf.update(imports=())

DEATHS = ("orders.raises", "orders.rejects", "orders.exhausts", "orders.dawdles", "orders.kills", "orders.nobody")
"""One message each; the last is a task that no worker knows."""


@worker_init.connect
def _before_consuming(**_: object) -> None:
    with app.connection_for_write() as connection:
        declare(connection)


@app.task(shared=False, name="orders.raises")
def raises() -> None:
    raise ValueError("no good")


@app.task(shared=False, name="orders.rejects")
def rejects() -> None:
    raise Reject("not for us", requeue=False)


@app.task(shared=False, name="orders.exhausts", bind=True, max_retries=1)
def exhausts(self: Task) -> None:
    raise self.retry(countdown=1, exc=ValueError("again and again"))


@app.task(shared=False, name="orders.dawdles", soft_time_limit=1)
def dawdles() -> None:
    time.sleep(30)


@app.task(shared=False, name="orders.kills", max_retries=1, default_retry_delay=1)
def kills() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(shared=False, name="orders.notes")
def notes_orders(file_name: str) -> None:
    _note(file_name, "orders")


@app.task(shared=False, name="shipments.notes")
def notes_shipments(file_name: str) -> None:
    _note(file_name, "shipments")


@app.task(shared=False, name="finance.notes")
def notes_finance(file_name: str) -> None:
    _note(file_name, "finance")


def _note(file_name: str, lane: str) -> None:
    with Path(file_name).open("a") as file:
        file.write(f"{lane}\n")


def send(words: list[str]) -> None:
    for name in words:
        task, _, argument = name.partition("=")
        app.send_task(task, (argument,) if argument else ())


if __name__ == "__main__":
    send(sys.argv[1:])
