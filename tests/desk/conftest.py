"""A real Flower with the desk inside, over a ledger on a bad morning."""

from collections.abc import Callable, Iterator

import pytest
from desk.morning import Ledger, a_bad_morning
from desk.visitor import Desk, Flower
from redis import Redis
from servers import Valkey

Start = Callable[..., Flower]


@pytest.fixture(scope="module")
def start_flower(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start_flower(ledger, *options, prefix="", **environment)`: a Flower that answers, for as long as its module."""
    running: list[Flower] = []

    def start(ledger: Ledger, *options: str, prefix: str = "", **environment: str) -> Flower:
        folder = tmp_path_factory.mktemp("flower")
        flower = Flower(folder, ledger.environment() | {"LOCKSTEP_BROKER_URL": valkey.url}, *options, prefix=prefix)
        flower.environment |= environment
        running.append(flower)
        flower.start()
        return flower

    yield start
    for flower in running:
        flower.stop()


@pytest.fixture(scope="module")
def desk(start_flower: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk on a bad morning; a test that changes something takes cases that no other test looks at."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    cases = a_bad_morning(ledger)
    return Desk(start_flower(ledger), ledger, cases)


@pytest.fixture
def broker(valkey: Valkey) -> Iterator[Redis]:
    """A look into the broker itself."""
    client = Redis.from_url(valkey.url)
    yield client
    client.close()
