"""The ERPs that the tests know: every folder of `tests/erps` with a `bench.py`. Nobody lists them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
MAPPINGS = TESTS.parent / "mappings"
NAMES = tuple(sorted(path.parent.name for path in TESTS.glob("erps/*/bench.py")))


@dataclass(frozen=True)
class Connection:
    """An ERP as a stage can have it: the `CONNECTION` of its `bench.py`, beside a `bench()` for the contracts.

    `sandbox(clock, switches, seed)` makes one whose `app` is a WSGI app; `switches` is None but where a test sets them.
    """

    sandbox: Callable[..., Any]
    url: str
    token: str
    calls: Mapping[str, str] = field(default_factory=dict)
    """What the sandbox calls a write that a fault may hit: "return", "memo", "post" (what makes a memo count), "item".
    A write that is not there is a person's work in this ERP."""
    market: int = 1
    """Centra's market in which a stage of this ERP alone places its orders."""
    ready: Callable[[Any], None] = lambda stage: None
    """What somebody sets up in the ERP itself once its mapping is there; it is given the stage."""


@cache
def connection(name: str) -> Connection:
    found: Connection = import_module(f"erps.{name}.bench").CONNECTION
    return found


def with_call(call: str) -> list[str]:
    """The ERPs that have a call of ours for a write."""
    return [name for name in NAMES if call in connection(name).calls]


def without_call(call: str) -> list[str]:
    """Those in which a person does it."""
    return [name for name in NAMES if call not in connection(name).calls]


def mapping_text(name: str) -> str:
    """An ERP's example mapping: in its own folder, or with the mappings that are shipped."""
    file = f"{name}.toml"
    own = TESTS / "erps" / name / file
    return (own if own.exists() else MAPPINGS / file).read_text()
