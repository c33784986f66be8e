"""Labelled switches of a sandbox: a dataclass whose fields are `Literal`, `bool`, `int`, `float` or `str`."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass
class Switches:
    """What a system's switches have in common."""

    def change(self, words: dict[str, Any]) -> None:
        """Set several switches or none; raises `ValueError` naming a switch or value that does not exist."""
        hints = get_type_hints(type(self))
        for name, value in words.items():
            if name not in hints:
                raise ValueError(f"no switch named {name!r}; there are: {', '.join(f.name for f in fields(self))}")
            if not _fits(value, hints[name]):
                raise ValueError(f"{name} cannot be {value!r}; it is {hints[name]}")
        for name, value in words.items():
            setattr(self, name, value)

    def words(self) -> dict[str, Any]:
        return asdict(self)


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint
