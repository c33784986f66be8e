"""The contracts run once for every ERP adapter there is."""

from collections.abc import Iterator

import pytest
from erp_benches import ERPS, Bench


@pytest.fixture(params=sorted(ERPS))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = ERPS[request.param]()
    yield made
    made.stage.store.close()
