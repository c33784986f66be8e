import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.http import NotJson, parse_json


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{]", b"<html></html>", b'{"a": NaN}', b"Infinity", b"-Infinity", b'{"a": 1, "a": 2}',
        b'{"x": {"a": 1, "b": 2, "a": 3}}', b"\xef\xbb\xbf{}", b"\xff\xfe", b'"\xc3"', b'"\\ud800"', b'{"\\udfff": 1}',
        b'["\\uD83D", "\\uDE00"]', b'"\\u0000"', b'"a\\\\\\u0000"', b'{"\\u0000": 1}', b'"\x00"', b"[" * 200_000,
        b'{"a":' * 200_000, b"1" * 5_000, b"-" + b"1" * 20, b"1." + b"1" * 5_000, b"1e400", b"1e99999999",
        b"1e9999999999999999999", b"1E-99999999999999999999", b"{} {}", b"{'a': 1}", b"01", b"\xf0\x28\x8c\x28",
    ],
)  # fmt: skip
def test_what_no_honest_json_holds_is_not_json(body):
    with pytest.raises(NotJson) as raised:
        parse_json(body)
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"12.50", Decimal("12.50")),
        (b"67.30000000000001", Decimal("67.30000000000001")),
        (b"5e-324", Decimal("5E-324")),
        (b"9223372036854775807", 2**63 - 1),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"C:\\\\u0000"', "C:\\u0000"),
        (b'"C:\\\\ud800"', "C:\\ud800"),
        (b'"caf\xc3\xa9"', "café"),
        (b" null ", None),
    ],
)
def test_what_honest_json_says_is_read_exactly(body, value):
    found = parse_json(body)
    assert found == value
    assert type(found) is type(value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 10**18, 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_json_can_say_comes_back_unless_it_holds_a_nul(value):
    body = json.dumps(value).encode()
    try:
        assert parse_json(body) == value
    except NotJson:
        assert "\\u0000" in body.decode()


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused_and_nothing_else_is_raised(body):
    with contextlib.suppress(NotJson):
        parse_json(body)


@given(st.text(alphabet='{}[]",:0123456789.eE-+\\ud8c NaInfty', max_size=40))
def test_text_that_nearly_is_json_is_read_or_refused(text):
    with contextlib.suppress(NotJson):
        json.dumps(parse_json(text.encode()), default=str, ensure_ascii=False).encode()
