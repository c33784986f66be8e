"""Every test opens a store of its own, and all of them say the same statements: they are compiled once a process.

SQLAlchemy remembers what it has compiled by engine and by dialect. Here every engine gets those of the first engine of
its kind; that halves the time of a test on a stage. Production opens one store a process and has nothing to gain.
"""

from typing import Any

from sqlalchemy import Engine

import integration.store

_create_engine = integration.store.create_engine
_first: dict[str, Engine] = {}


def _engine(url: Any, **options: Any) -> Engine:
    engine = _create_engine(url, **options)
    first = _first.setdefault(url.get_backend_name(), engine)
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache
    return engine


integration.store.create_engine = _engine
