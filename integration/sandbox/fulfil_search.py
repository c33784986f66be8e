"""Domains, orders and dotted fields, in Tryton's language as the vendor's search guide and clients speak it.

A domain is a list of clauses `[field, operator, value]`, all of which must hold; a list that begins with "OR" or
"AND" nests. A dotted field walks relations; through a Reference the clause names the model as a fourth element.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from integration.sandbox.fulfil_models import FIELDS
from integration.sandbox.fulfil_records import Records, Row, field_of
from integration.sandbox.fulfil_wire import user_error

Test = Callable[[Row], bool]
Computed = Callable[[Row, Row], Any]
"""(row, context of the call) -> the value of a computed field."""

_LAGGING = {
    "sale.sale": ("sale.sale", "id"),
    "sale.line": ("sale.sale", "sale"),
    "account.invoice": ("account.invoice", "id"),
    "account.invoice.line": ("account.invoice", "invoice"),
}
"""Model to the model whose rows may be hidden for a while, and the field that leads there."""


@dataclass(frozen=True)
class Condition:
    """`test` decides; `ids` (from an index) are the only rows worth testing, None when any row may pass."""

    test: Test
    ids: Iterable[int] | None = None
    count: float = float("inf")


_COMPARED: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_PATTERNS = {"like": 0, "not like": 0, "ilike": re.IGNORECASE, "not ilike": re.IGNORECASE}
_OPERATORS = {"=", "!=", "in", "not in", *_COMPARED, *_PATTERNS}


def _pattern(text: str, flags: int) -> Callable[[Any], bool]:
    """SQL's LIKE: `%` any run, `_` any one character, the whole value must match."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in text)
    compiled = re.compile("".join(parts), flags | re.DOTALL)
    return lambda value: value is not None and compiled.fullmatch(str(value)) is not None


def _against(operator: str, wanted: Any) -> Callable[[Any], bool]:
    """The test of one value; null never satisfies a comparison or a pattern."""
    if operator in _COMPARED:
        compare = _COMPARED[operator]
        return lambda value: bool(value is not None and compare(value, wanted))
    if operator in ("=", "!="):
        return lambda value: bool(value == wanted) is (operator == "=")
    if operator in ("in", "not in") and isinstance(wanted, list):
        pool = frozenset(wanted)
        return lambda value: (value in pool) is (operator == "in")
    if operator in _PATTERNS and isinstance(wanted, str):
        fits = _pattern(wanted, _PATTERNS[operator])
        return lambda value: fits(value) is not operator.startswith("not")
    raise user_error(f"Invalid clause: operator {operator!r} with {wanted!r}.")


class Search:
    """Finds and reads rows. `computed` answers (model, field); its second argument is the context of the call at work."""

    def __init__(self, records: Records, computed: dict[tuple[str, str], Computed] | None = None) -> None:
        self._records, self._computed = records, computed or {}
        self.context: Row = {}

    def matching(self, model: str, domain: Any, visible: Test | None = None, active_test: bool = True) -> list[Row]:
        """The rows a domain selects, in order of id.

        Inactive rows stay out unless the domain names `active`; sales under a search lag stay out until it is over.
        """
        try:
            return self._matching(model, domain or [], visible, active_test)
        except TypeError as error:
            raise user_error(f"Invalid domain on {model}: {error}") from error

    def _matching(self, model: str, domain: Any, visible: Test | None, active_test: bool) -> list[Row]:
        condition = self._condition(model, domain)
        rows = self._records.rows[model]
        tests = [condition.test]
        if visible is not None:
            tests.append(visible)
        if active_test and "active" in FIELDS[model] and not _names_active(domain):
            tests.append(lambda row: row["active"] is not False)
        if self._records.hidden and model in _LAGGING:
            tests.append(self._not_hidden(*_LAGGING[model]))
        pool = rows.values() if condition.ids is None else [rows[i] for i in sorted(set(condition.ids)) if i in rows]
        return [row for row in pool if all(test(row) for test in tests)]

    def ordered(self, model: str, rows: list[Row], order: Any) -> list[Row]:
        """Sorted by `[[field, "ASC" | "desc"], …]`; nulls count as largest, as in PostgreSQL."""
        for field, direction in reversed(order or []):
            value = self.reader(model, field)
            rows = sorted(
                rows, key=lambda row: ((v := value(row)) is None, v), reverse=str(direction).upper().startswith("DESC")
            )
        return rows

    def reader(self, model: str, path: str) -> Callable[[Row], Any]:
        """What reads `path` of a row; raises a UserError for an unknown field or a path through an x2many."""
        head, _, rest = path.partition(".")
        field = field_of(model, head)
        if not rest:
            if field.kind == "inverse":
                return lambda row: self._records.part(field, row["id"])
            if field.kind == "computed":
                compute, context = self._computed[model, head], self.context
                return lambda row: compute(row, context)
            return lambda row: row[head]
        if field.kind == "one" and field.model:
            rows, inner = self._records.rows[field.model], self.reader(field.model, rest)
            return lambda row: inner(rows[row[head]]) if row[head] in rows else None
        if field.kind == "reference":
            return lambda row: self._through_reference(row[head], rest)
        raise user_error(f'Cannot read "{path}" of "{model}": "{head}" is not a many2one.')

    def read(self, model: str, rows: list[Row], fields: list[str]) -> list[Row]:
        """The named fields of each row, `id` always among them."""
        readers = [(path, self.reader(model, path)) for path in dict.fromkeys(["id", *fields])]
        return [{path: reader(row) for path, reader in readers} for row in rows]

    def _through_reference(self, value: str | None, rest: str) -> Any:
        if not value:
            return None
        model, _, id = value.partition(",")
        row = self._records.rows[model].get(int(id))
        return self.reader(model, rest)(row) if row else None

    def _not_hidden(self, model: str, key: str) -> Test:
        hidden, now = self._records.hidden, self._records.now()
        for place in [place for place, until in hidden.items() if until <= now]:
            del hidden[place]
        return lambda row: (model, row[key]) not in hidden

    def _condition(self, model: str, domain: Any) -> Condition:
        if not isinstance(domain, list):
            raise user_error(f"Invalid domain: {domain!r}.")
        if domain and domain[0] in ("AND", "OR"):
            either, parts = domain[0] == "OR", domain[1:]
        elif len(domain) >= 3 and isinstance(domain[0], str) and isinstance(domain[1], str):
            return self._clause(model, *domain)
        else:
            either, parts = False, domain
        conditions = [self._condition(model, part) for part in parts]
        if len(conditions) == 1:
            return conditions[0]
        tests = [condition.test for condition in conditions]
        if either and tests:
            ids = None
            if all(condition.ids is not None for condition in conditions):
                ids = [id for condition in conditions for id in condition.ids or ()]
            total = sum(condition.count for condition in conditions)
            return Condition(lambda row: any(test(row) for test in tests), ids, total)
        best = min(conditions, key=lambda condition: condition.count, default=Condition(lambda row: True))
        return Condition(lambda row: all(test(row) for test in tests), best.ids, best.count)

    def _clause(self, model: str, path: str, operator: str, wanted: Any, target: str | None = None) -> Condition:
        if operator not in _OPERATORS:
            raise user_error(f"Invalid clause: operator {operator!r}.")
        head, _, rest = path.partition(".")
        field = field_of(model, head)
        if field.kind in ("one", "many", "inverse") and not rest and isinstance(wanted, str):
            rest = "rec_name"
        if rest:
            return self._related(model, head, [rest, operator, wanted], target)
        if field.kind == "many":
            fits = _against(operator, wanted)
            return Condition(lambda row: any(map(fits, row[head])))
        if field.kind == "inverse":
            return self._related(model, head, ["id", operator, wanted], target)
        compare = _against(operator, wanted)
        if field.kind == "computed":
            value = self.reader(model, head)
            return Condition(lambda row: compare(value(row)))
        test: Test = lambda row: compare(row[head])  # noqa: E731  a closure per clause is what a domain compiles to
        return self._indexed(model, head, [wanted] if operator == "=" else wanted if operator == "in" else None, test)

    def _indexed(self, model: str, name: str, values: Any, test: Test) -> Condition:
        """`test`, narrowed by the index on `name` when it is asked for certain values."""
        if values is None:
            return Condition(test)
        if name == "id":
            return Condition(test, values, len(values))
        index = self._records.indexes[model].get(name)
        if index is None:
            return Condition(test)
        found = [index[value] for value in set(values) if value in index]
        return Condition(test, (id for ids in found for id in ids), sum(map(len, found)))

    def _related(self, model: str, head: str, clause: list[Any], target: str | None) -> Condition:
        """Rows whose relation `head` leads to a record that satisfies `clause`."""
        field = field_of(model, head)
        other = target if field.kind == "reference" else field.model
        if other is None or other not in FIELDS:
            raise user_error(f'Invalid clause: "{head}" of "{model}" leads to no known model.')
        matches = self.matching(other, [clause], active_test=False)
        ids = {row["id"] for row in matches}
        if field.kind == "inverse" and field.inverse:
            parents = {row[field.inverse] for row in matches}
            return Condition(lambda row: row["id"] in parents, parents, len(parents))
        if field.kind == "many":
            return Condition(lambda row: not ids.isdisjoint(row[head]))
        if field.kind == "reference":
            values: set[Any] = {f"{other},{id}" for id in ids}
        elif field.kind == "one":
            values = set(ids)
        else:
            raise user_error(f'Invalid clause: "{head}" of "{model}" is not a relation.')
        return self._indexed(model, head, values, lambda row: row[head] in values)


def _names_active(domain: Any) -> bool:
    if not isinstance(domain, list):
        return False
    return any(part == "active" or _names_active(part) for part in domain)
