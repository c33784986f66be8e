"""The pieces that every node of Centra is read with: amounts, currencies, names. Field names are Centra's."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from integration.domain.money import MoneyError, digits, exponent, tax_rate
from integration.errors import Unavailable


class BadNode(ValueError):
    """A node that cannot be read; the text names the field and holds no value of it."""


class Amount(fields.Field[Decimal]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        try:
            return digits(value["value"])
        except (TypeError, KeyError, MoneyError) as error:
            raise ValidationError("not an amount") from error


class Plain(fields.Field[Decimal]):
    """An amount in digits, beside its currency."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        try:
            return digits(value)
        except MoneyError as error:
            raise ValidationError("not an amount") from error


class Percent(Plain):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        percent = super()._deserialize(value, attr, data, **kwargs)
        try:
            tax_rate(percent)
        except MoneyError as error:
            raise ValidationError("not a tax percentage") from error
        return percent


def is_currency(code: str) -> None:
    try:
        exponent(code)
    except MoneyError as error:
        raise ValidationError("not a currency") from error


class Reading(Schema):
    class Meta:
        unknown = EXCLUDE


class Named(Reading):
    name = fields.String(required=True)


class Code(Reading):
    code = fields.String(required=True)


class Currency(Reading):
    code = fields.String(required=True, validate=is_currency)


class Size(Reading):
    SKU = fields.String(required=True, validate=validate.Length(1, 128))


class Total(Reading):
    value = Plain(required=True)
    currency = fields.Nested(Currency, required=True)


def where(messages: Any) -> str:
    path = []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        path.append(str(key))
    return ".".join(path)


def load(schema: Schema, node: Mapping[str, Any], what: str) -> dict[str, Any]:
    """A node by its schema. Raises `BadNode` naming the field that cannot be read."""
    try:
        told: dict[str, Any] = schema.load(dict(node))
    except ValidationError as error:
        raise BadNode(f"the {what} cannot be read at {where(error.messages)}") from error
    return told


def rows(answer: Mapping[str, object], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer. Raises `Unavailable` when there is no such list."""
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unavailable(f"Centra answered without {name}")
    return found


def ids(told: Collection[str]) -> list[int]:
    """Those that can be numbers of Centra's: one beyond GraphQL's 32 bits would have the whole page refused."""
    return [int(n) for n in told if n.isascii() and n.isdigit() and len(n) <= 10 and int(n) < 2**31]


def instant_of(told: object) -> datetime | None:
    """An aware instant, or `None` where Centra gives none that can be read."""
    try:
        read = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return read if read.tzinfo else None
