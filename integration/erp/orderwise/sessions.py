"""What an e-commerce session brings to our doors: its login, what it imported, and its despatch and stock as XML.

Seen at two integrators: a form with the one field `ExportData`, which holds order numbers with tildes between them or a whole
document, answered by `XMLFile/Responses/Response`. Neither of them asked for a login; ours is HTTP Basic, and a session without
it is told so. The templates of its documents are each tenant's own, so only the names of their elements are asked of them.
"""

import base64
import binascii
import hmac
from collections.abc import Collection
from urllib.parse import unquote_to_bytes
from xml.parsers import expat
from xml.sax.saxutils import escape

MAX_BODY = 8_000_000
"""Of a whole catalogue's stock in a form; what a despatch document holds is less."""
MAX_NUMBERS = 5_000
MAX_TEXTS = 100_000
MAX_DEPTH = 50
MAX_TEXT = 128
"""Of an order number or a variant code."""
FIELD = b"ExportData"


class Forged(ValueError):
    """The request does not prove that it comes from the tenant. Every cause looks the same from outside."""


class Malformed(ValueError):
    """Proven, and yet nothing that a session sends."""


def verify(authorization: str, logins: Collection[str]) -> None:
    """Raises `Forged` unless the header is Basic with one of our `user:password` logins; it takes the same time for all."""
    scheme, _, told = authorization.strip().partition(" ")
    try:
        given = base64.b64decode(told.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    good = False
    for login in logins:
        good |= ":" in login and hmac.compare_digest(login.encode(), given)
    if not good:
        raise Forged("no login of ours")


def exported(body: bytes) -> str:
    """The text of the form field `ExportData`. Raises `Malformed` where there is none, or several, or no UTF-8."""
    fields = [part.partition(b"=") for part in body.split(b"&")]
    values = [value for name, _, value in fields if name == FIELD]
    if len(values) != 1:
        raise Malformed("not a form with ExportData")
    try:
        return unquote_to_bytes(values[0].replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("ExportData is not UTF-8") from error


def acknowledged(text: str) -> list[str]:
    """The order numbers between tildes, each once. Raises `Malformed`."""
    numbers = [each.strip() for each in text.split("~")]
    if len(numbers) > MAX_NUMBERS or any(len(each) > MAX_TEXT for each in numbers):
        raise Malformed("not a list of order numbers")
    return list(dict.fromkeys(each for each in numbers if each))


def texts(document: str, element: str) -> list[str]:
    """The texts of every element of this name, each once, in any namespace.

    A document with a DOCTYPE is refused whole: without one there are no entities to expand or to fetch. It is read as
    Unicode, whatever encoding it declares. Raises `Malformed`.
    """
    found: dict[str, None] = {}
    depth, open_at, text = 0, 0, ""

    def start(name: str, _: object) -> None:
        nonlocal depth, open_at, text
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed("elements too deep")
        if not open_at and name.rpartition(":")[2] == element:
            open_at, text = depth, ""

    def end(_: str) -> None:
        nonlocal depth, open_at
        if depth == open_at:
            open_at = 0
            if text.strip():
                found[text.strip()] = None
        depth -= 1

    def characters(told: str) -> None:
        nonlocal text
        if open_at:
            text += told
            if len(text) > MAX_TEXT or len(found) > MAX_TEXTS:
                raise Malformed(f"a {element} that is none, or too many")

    def doctype(*_: object) -> None:
        raise Malformed("a DOCTYPE")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise Malformed("not XML") from error
    return list(found)


def logged(message: str) -> bytes:
    """The answer to a post; `Log` is the only type that was seen."""
    words = f"<Response><Type>Log</Type><Message>{escape(message)}</Message></Response>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<XMLFile><Responses>{words}</Responses></XMLFile>'.encode()
