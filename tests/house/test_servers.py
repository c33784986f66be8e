"""The servers of the tests are real, empty when handed over, and gone when ended."""

import os
from contextlib import closing
from pathlib import Path

import kombu
import pytest
import sqlalchemy
from servers import Postgres, Process, RabbitMQ, Valkey, wait_until


def test_each_test_gets_an_empty_database(database_url: str) -> None:
    engine = sqlalchemy.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE jobs (number INTEGER)"))
        connection.execute(sqlalchemy.text("INSERT INTO jobs VALUES (1)"))
    engine.dispose()


def test_two_fresh_databases_are_two(postgres: Postgres) -> None:
    assert postgres.fresh_database() != postgres.fresh_database()


@pytest.mark.parametrize("again", [1, 2])
def test_each_test_gets_an_empty_broker(broker_url: str, again: int) -> None:
    with kombu.Connection(broker_url) as connection, closing(connection.SimpleQueue("orders")) as orders:
        with pytest.raises(orders.Empty):
            orders.get(block=False)
        orders.put(f"left behind by run {again}")


def test_a_killed_broker_comes_back_on_the_same_port_with_its_data(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    url = valkey.url
    valkey.kill()
    assert not valkey.ready()
    valkey.start()
    assert valkey.ready()
    assert valkey.url == url
    valkey.stop()


def test_a_server_that_ends_at_its_start_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such option"):
        NeverReady(tmp_path, ["sh", "-c", "echo no such option; exit 1"]).start()


def test_children_end_with_their_server(tmp_path: Path) -> None:
    parent = Process(tmp_path, ["sh", "-c", "sleep 600 & echo $! > child; wait"])
    parent.start()
    child = tmp_path / "child"
    wait_until(lambda: child.exists() and child.read_text(), "the child's number written")
    parent.stop()
    wait_until(lambda: _gone(int(child.read_text())), "the child ended")


def test_the_port_mapper_of_rabbitmq_is_ours(rabbitmq: RabbitMQ) -> None:
    assert rabbitmq.environment["ERL_EPMD_PORT"] != "4369"
    assert rabbitmq.alive


class NeverReady(Process):
    def ready(self) -> bool:
        return False


def _gone(pid: int) -> bool:
    """Ended, or ended and waiting for a parent to notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
