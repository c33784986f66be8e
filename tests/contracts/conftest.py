"""The contracts run once for every ERP there is; what only a call of ours can prove, for those that have the call."""

from collections.abc import Iterator

import pytest
from erp_benches import Bench, made
from erp_folders import NAMES, with_call, without_call


def _bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = made(request.param)
    yield bench
    bench.stage.store.close()


bench = pytest.fixture(_bench, params=NAMES)
announcing = pytest.fixture(_bench, params=with_call("return"))
keyed_returns = pytest.fixture(_bench, params=without_call("return"))
booking = pytest.fixture(_bench, params=with_call("memo"))
keyed_memos = pytest.fixture(_bench, params=without_call("memo"))
making = pytest.fixture(_bench, params=with_call("item"))
keyed_items = pytest.fixture(_bench, params=without_call("item"))
