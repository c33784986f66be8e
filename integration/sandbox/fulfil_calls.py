"""The calls every model has: search, search_read, search_count, read, create, write, delete, and their REST twins.

Arguments come as a JSON array by position (the official client) or, for searches, as one object with `filters`,
`fields`, `limit`, `offset`, `order` (two customers' clients in the wild). Unconfirmed here: the wording of errors,
that `write` answers null, and that search_read without a limit is refused when more than a page of rows fits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integration.sandbox.fulfil_access import Access
from integration.sandbox.fulfil_models import FIELDS
from integration.sandbox.fulfil_records import Records, Row, field_of
from integration.sandbox.fulfil_search import Search
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import http_error, page_too_large, user_error

SEARCH_TERMS = ("filters", "offset", "limit", "order", "fields")
_NUMBERED = {"sale.sale": "SO", "stock.shipment.out": "CS", "stock.shipment.out.return": "CRS-"}
_WITH_STATES = (*_NUMBERED, "stock.move", "stock.inventory", "account.invoice")


@dataclass(frozen=True)
class Rule:
    """What a model adds to the generic calls: `defaults` of a new row, `check` before a row is changed or removed, and
    `settle`, told of a row just written and the words it was written with.
    """

    settle: Callable[[Row, Row], None]
    check: Callable[[Row], None] = lambda row: None
    defaults: Callable[[], Row] = dict


def terms(args: Any, *names: str) -> list[Any]:
    """The values of `names` from an array by position or from an object by name; what is missing is None."""
    if isinstance(args, dict):
        return [args.get(name) for name in names]
    given = list(args) if isinstance(args, list) else []
    return (given + [None] * len(names))[: len(names)]


class Calls:
    """The generic calls; `user` is the id of the token's user, whose channels bound what is seen."""

    def __init__(
        self,
        records: Records,
        search: Search,
        access: Access,
        switches: FulfilSwitches,
        rules: dict[str, Rule] | None = None,
    ) -> None:
        self._records, self._search, self._access, self._switches = records, search, access, switches
        self._rules = rules or {}

    def search(self, model: str, args: Any, context: Row, user: int) -> list[int]:
        """Ids; a null limit means all of them."""
        rows = self._found(model, args, context, user)
        return [row["id"] for row in rows]

    def search_read(self, model: str, args: Any, context: Row, user: int) -> list[Row]:
        """Rows with the fields asked for; without a list of fields only id and rec_name."""
        fields = terms(args, *SEARCH_TERMS)[4]
        rows = self._found(model, args, context, user)
        self._check_page(len(rows))
        return self._search.read(model, rows, fields or ["rec_name"])

    def search_count(self, model: str, args: Any, context: Row, user: int) -> int:
        domain = terms(args, "filters")[0]
        return len(self._visible(model, domain, context, user))

    def read(self, model: str, args: Any, context: Row, user: int) -> list[Row]:
        ids, fields = terms(args, "ids", "fields")
        self._search.context = context
        rows = [self._records.get(model, id) for id in _ids(ids)]
        self._check_page(len(rows))
        return self._search.read(model, rows, fields or list(FIELDS[model]))

    def create(self, model: str, args: Any, context: Row, user: int) -> list[int]:
        """Ids of the new records."""
        (rows,) = terms(args, "vlist")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise user_error("create takes a list of objects.")
        return [self.insert(model, row)["id"] for row in rows]

    def write(self, model: str, args: Any, context: Row, user: int) -> None:
        ids, values = terms(args, "ids", "values")
        if not isinstance(values, dict):
            raise user_error("write takes ids and an object.")
        for row in [self._records.get(model, id) for id in _ids(ids)]:
            self.change(model, row, values)

    def delete(self, model: str, args: Any, context: Row, user: int) -> None:
        """Unconfirmed detail taken from Tryton: a sale must be cancelled before it can be deleted."""
        for row in [self._records.get(model, id) for id in _ids(terms(args, "ids")[0])]:
            if model == "sale.sale" and row["state"] not in ("draft", "cancel"):
                raise user_error(f'To delete sale "{row["rec_name"]}" you must cancel it.')
            self._remove(model, row)

    def listed(self, model: str, query: dict[str, list[str]], filters: Row, context: Row, user: int) -> list[Row]:
        """`GET /model/{m}`: pages from 1, ten rows unless `per_page` says more (the default is the client's)."""
        names = query.get("field", []) + [part for word in query.get("fields", []) for part in word.split(",") if part]
        size, page = int(query.get("per_page", ["10"])[0]), int(query.get("page", ["1"])[0])
        domain = list(filters["domain"])
        for name, values in query.items():
            if name == "ids":
                domain.append(["id", "in", [int(id) for id in values[0].split(",")]])
            elif name in FIELDS[model] and name != "context":
                domain.append([name, "=", values[0]])
        args = [domain, (page - 1) * size, size, filters["order"], names]
        return self.search_read(model, args, context, user)

    def insert(self, model: str, values: Row) -> Row:
        """A record made by hand, with the defaults its model needs; x2many commands create the parts."""
        plain, parts = self._sorted(model, values)
        if model in _WITH_STATES and plain.get("state", "draft") != "draft" and not self._switches.state_writable:
            raise user_error(f"Cannot create record with state '{plain['state']}'. Allowed states: draft")
        self._check_unique(model, plain)
        row = self._records.insert(model, self._defaults(model) | plain)
        self._apply(model, row, parts)
        if model in self._rules:
            self._rules[model].settle(row, values)
        return row

    def change(self, model: str, row: Row, values: Row) -> None:
        if model in self._rules:
            self._rules[model].check(row)
        plain, parts = self._sorted(model, values)
        if "state" in plain and model in _WITH_STATES and not self._switches.state_writable:
            raise user_error("The state cannot be written; call the method of the transition.")
        self._records.update(model, row, plain)
        self._apply(model, row, parts)
        if model in self._rules:
            self._rules[model].settle(row, values)

    def _remove(self, model: str, row: Row) -> None:
        rule = self._rules.get(model)
        if rule:
            rule.check(row)
        self._records.delete(model, row)
        if rule:
            rule.settle(row, {})

    def _found(self, model: str, args: Any, context: Row, user: int) -> list[Row]:
        domain, offset, limit, order, _ = terms(args, *SEARCH_TERMS)
        if limit is not None:
            self._check_page(limit)
        rows = self._search.ordered(model, self._visible(model, domain, context, user), order)
        start = offset or 0
        return rows[start:] if limit is None else rows[start : start + limit]

    def _visible(self, model: str, domain: Any, context: Row, user: int) -> list[Row]:
        self._search.context = context
        visible = self._access.visible(model, user)
        return self._search.matching(model, domain, visible, context.get("active_test", True) is not False)

    def _check_page(self, rows: Any) -> None:
        if not isinstance(rows, int):
            raise user_error(f"The limit must be a whole number, not {rows!r}.")
        if rows > self._switches.page_size:
            raise page_too_large(self._switches.page_size)

    def _check_unique(self, model: str, values: Row) -> None:
        key = values.get("channel_identifier")
        if model != "sale.sale" or key is None:
            return
        if any(row["channel"] == values.get("channel") for row in self._records.find(model, "channel_identifier", key)):
            raise user_error("Channel identifier for a channel should be unique")

    def _defaults(self, model: str) -> Row:
        defaults: Row = {"active": True} if "active" in FIELDS[model] else {}
        if "state" in FIELDS[model]:
            defaults["state"] = "draft"
        if model in _NUMBERED:
            defaults["number"] = f"{_NUMBERED[model]}{self._records.next_id(model):05d}"
        return defaults | (self._rules[model].defaults() if model in self._rules else {})

    def _sorted(self, model: str, values: Row) -> tuple[Row, list[tuple[str, Any]]]:
        """Plain values, and the x2many fields with their commands."""
        plain: Row = {}
        parts: list[tuple[str, Any]] = []
        for name, value in values.items():
            field = field_of(model, name)
            if field.kind in ("many", "inverse"):
                parts.append((name, value))
            elif field.kind == "computed" or name in ("id", "rec_name", "create_date", "write_date"):
                raise user_error(f'The field "{name}" cannot be written.')
            else:
                plain[name] = value
        return plain, parts

    def _apply(self, model: str, row: Row, parts: list[tuple[str, Any]]) -> None:
        for name, commands in parts:
            if not isinstance(commands, list) or not all(isinstance(c, list) and len(c) > 1 for c in commands):
                raise http_error(500, f"{name}: commands expected")
            for command in commands:
                self._command(model, row, name, *command)

    def _command(self, model: str, row: Row, name: str, verb: str, first: Any, second: Any = None) -> None:
        """One of create, add, remove, write, delete."""
        field = FIELDS[model][name]
        assert field.model
        owner = {field.inverse: row["id"]} if field.inverse else {}
        match verb:
            case "create":
                ids = [self.insert(field.model, values | owner)["id"] for values in first]
                if not field.inverse:
                    self._records.update(model, row, {name: row[name] + ids})
            case "add" | "remove" if field.inverse:
                for id in _ids(first):
                    owned = row["id"] if verb == "add" else None
                    self._records.update(field.model, self._records.get(field.model, id), {field.inverse: owned})
            case "add":
                self._records.update(model, row, {name: list(dict.fromkeys(row[name] + _ids(first)))})
            case "remove":
                self._records.update(model, row, {name: [id for id in row[name] if id not in _ids(first)]})
            case "write":
                for id in _ids(first):
                    self.change(field.model, self._records.get(field.model, id), second)
            case "delete":
                for id in _ids(first):
                    self._remove(field.model, self._records.get(field.model, id))
            case _:
                raise user_error(f"Unknown command {verb!r} for {name}.")


def _ids(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise user_error("A list of ids is expected.")
    return value
