"""Every test opens a store of its own, and all of them say the same statements: they are compiled once a process.

SQLAlchemy remembers what it has compiled by engine and by dialect. Here every engine gets those of the first of its kind
that was ever connected; that halves the time of a test on a stage. Production opens one store a process and has nothing to gain.
"""

from typing import Any

from sqlalchemy import Engine, event

import integration.store

_create_engine = integration.store.create_engine
_first: dict[str, Engine] = {}


def _engine(url: Any, **options: Any) -> Engine:
    engine = _create_engine(url, **options)
    kind = url.get_backend_name()
    if kind in _first:
        engine.dialect = engine.pool._dialect = _first[kind].dialect
        engine._compiled_cache = _first[kind]._compiled_cache
    else:  # a dialect learns from its first connection what its server can do
        event.listen(engine, "connect", lambda *_: _first.setdefault(kind, engine))
    return engine


integration.store.create_engine = _engine
