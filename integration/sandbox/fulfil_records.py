"""The sandbox's tables: rows as dicts, indexes kept as rows come and go, and a log of every create."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from integration.sandbox.clock import Clock
from integration.sandbox.fulfil_models import FIELDS, Field, rec_name
from integration.sandbox.fulfil_wire import http_error, naive, user_error

Row = dict[str, Any]
Index = dict[Any, dict[int, None]]


class Records:
    """All rows of all models. Not locked: the app holds one lock around each request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[str, dict[int, Row]] = {model: {} for model in FIELDS}
        self.effects: list[Row] = []
        """Every create ever applied: at (ISO), model, id, channel, channel_identifier."""
        self.hidden: dict[tuple[str, int], datetime] = {}
        """(model, id) of sales and invoices that searches do not see before this instant (naive UTC)."""
        self.watchers: dict[str, Callable[[Row], None]] = {}
        """Told of every row of their model that is made, changed or removed."""
        self._undo: list[Callable[[], None]] = []
        self._next: dict[str, int] = dict.fromkeys(FIELDS, 1)
        self._blank: dict[str, Row] = {model: dict.fromkeys(fields) for model, fields in FIELDS.items()}
        self._lists = {model: [n for n, f in fields.items() if f.kind == "many"] for model, fields in FIELDS.items()}
        self.indexes: dict[str, dict[str, Index]] = {
            model: {name: defaultdict(dict) for name, field in fields.items() if field.indexed}
            for model, fields in FIELDS.items()
        }

    def now(self) -> datetime:
        """Naive UTC, as Fulfil writes it."""
        return naive(self._clock.now())

    def insert(self, model: str, values: Row, id: int | None = None) -> Row:
        """A new row with the next id (or `id`), stamped and logged."""
        row: Row = self._blank[model].copy()
        for name in self._lists[model]:
            row[name] = []
        row.update(values)
        row["id"] = id or self._next[model]
        self._next[model] = max(self._next[model], row["id"]) + 1
        row["create_date"] = self.now()
        row["rec_name"] = rec_name(model, row)
        self.rows[model][row["id"]] = row
        for name, index in self.indexes[model].items():
            index[row[name]][row["id"]] = None
        key = {"channel": row.get("channel"), "channel_identifier": row.get("channel_identifier")}
        self.effects.append({"at": row["create_date"].isoformat(), "model": model, "id": row["id"], **key})
        self._undo.append(lambda: self._forget(model, row))
        self._tell(model, row)
        return row

    def next_id(self, model: str) -> int:
        """The id the next insert will use."""
        return self._next[model]

    def update(self, model: str, row: Row, values: Row, touch: bool = True) -> None:
        """Change a row; `touch` says whether write_date moves (not while its own create is still running)."""
        for name, index in self.indexes[model].items():
            if name in values and values[name] != row[name]:
                index[row[name]].pop(row["id"], None)
                index[values[name]][row["id"]] = None
        old = {name: row[name] for name in (*values, "rec_name", "write_date")}
        self._undo.append(lambda: self._restore(model, row, old))
        row.update(values)
        row["rec_name"] = rec_name(model, row)
        if touch:
            row["write_date"] = self.now()
        self._tell(model, row)

    def delete(self, model: str, row: Row) -> None:
        """Remove a row and everything that is only a part of it (its one2many)."""
        for field in FIELDS[model].values():
            if field.kind == "inverse" and field.model and field.inverse:
                for child in list(self.find(field.model, field.inverse, row["id"])):
                    self.delete(field.model, child)
        for name, index in self.indexes[model].items():
            index[row[name]].pop(row["id"], None)
        del self.rows[model][row["id"]]
        self._undo.append(lambda: self._bring_back(model, row))
        self._tell(model, row)

    def keep(self) -> None:
        """What was done so far stays, whatever comes after."""
        self._undo.clear()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """A call that ends in an error leaves nothing behind, except what `keep` was told to keep."""
        self.keep()
        try:
            yield
        except Exception:
            while self._undo:
                self._undo.pop()()
            raise

    def _tell(self, model: str, row: Row) -> None:
        if model in self.watchers:
            self.watchers[model](row)

    def _forget(self, model: str, row: Row) -> None:
        for name, index in self.indexes[model].items():
            index[row[name]].pop(row["id"], None)
        self.rows[model].pop(row["id"], None)
        self.effects.pop()

    def _restore(self, model: str, row: Row, old: Row) -> None:
        for name, index in self.indexes[model].items():
            if name in old and old[name] != row[name]:
                index[row[name]].pop(row["id"], None)
                index[old[name]][row["id"]] = None
        row.update(old)

    def _bring_back(self, model: str, row: Row) -> None:
        self.rows[model][row["id"]] = row
        for name, index in self.indexes[model].items():
            index[row[name]][row["id"]] = None

    def get(self, model: str, id: Any) -> Row:
        """One row; raises the 404 when there is none."""
        row = self.rows[model].get(id) if isinstance(id, int) else None
        if row is None:
            raise http_error(404, f"Record {model},{id} does not exist.")
        return row

    def find(self, model: str, field: str, value: Any) -> list[Row]:
        """Rows whose indexed `field` is `value`, oldest first."""
        if isinstance(value, list | dict):
            return []
        rows = self.rows[model]
        return [rows[id] for id in self.indexes[model][field].get(value, ())]

    def ids(self, model: str, field: str, values: Iterable[Any]) -> list[int]:
        """Ids of the rows whose indexed `field` is one of `values`."""
        index = self.indexes[model][field]
        return [id for value in values for id in index.get(value, ())]

    def part(self, field: Field, id: int) -> list[int]:
        """The ids of a one2many `field` of record `id`."""
        assert field.model
        assert field.inverse
        return list(self.indexes[field.model][field.inverse].get(id, ()))


def field_of(model: str, name: str) -> Field:
    """Raises a UserError for a field the model does not have (the real wording is unconfirmed)."""
    field = FIELDS[model].get(name)
    if field is None:
        raise user_error(f'There is no field "{name}" on "{model}".')
    return field
