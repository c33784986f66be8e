"""The contracts run once for every ERP adapter there is; what only a call of ours can prove, for those that have the call."""

from collections.abc import Iterator

import pytest
from erp_benches import ANNOUNCING, BOOKING, ERPS, Bench


def _made(name: str) -> Iterator[Bench]:
    made = ERPS[name]()
    yield made
    made.stage.store.close()


@pytest.fixture(params=sorted(ERPS))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _made(request.param)


@pytest.fixture(params=sorted(ANNOUNCING))
def announcing(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _made(request.param)


@pytest.fixture(params=sorted(set(ERPS) - set(ANNOUNCING)))
def keyed_returns(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _made(request.param)


@pytest.fixture(params=sorted(BOOKING))
def booking(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _made(request.param)


@pytest.fixture(params=sorted(set(ERPS) - set(BOOKING)))
def keyed_memos(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _made(request.param)
