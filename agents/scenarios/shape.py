"""Whether plain values have the shape of a struct: every misfit with its place and a sentence, not the first alone. Pure.

msgspec says what is wrong first, and stops; whoever writes a file wants to know all of it at once.
"""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import lru_cache
from re import fullmatch
from typing import Any, NamedTuple

from msgspec import inspect

from agents.scenarios.language import ScenarioError, duration

Place = tuple[str | int, ...]
"""Names of fields and numbers (from 0) in lists, from the outside in."""


class Fault(NamedTuple):
    """Something wrong at a place, and what to do about it."""

    place: Place
    text: str


def misfits(value: Any, kind: type) -> tuple[Fault, ...]:
    """What keeps `value` from being a `kind`; nothing: it is one."""
    return tuple(_look(value, _info(kind), ()))


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean ...?` where a known word is near, else nothing."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, 1, 0.6)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


@lru_cache(maxsize=64)
def _info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _look(value: Any, info: inspect.Type, place: Place) -> Iterator[Fault]:
    extra: dict[str, Any] = {}
    while isinstance(info, inspect.Metadata):
        extra |= info.extra or {}
        info = info.type
    if isinstance(info, inspect.UnionType):
        yield from _union(value, info, place)
    elif isinstance(info, inspect.StructType):
        yield from _struct(value, info, place)
    elif isinstance(info, inspect.VarTupleType | inspect.ListType):
        yield from _list(value, info, place)
    elif isinstance(info, inspect.DictType):
        if isinstance(value, dict):
            yield from _length(len(value), info, place)
            for key, item in value.items():
                yield from _look(key, info.key_type, (*place, key))
                yield from _look(item, info.value_type, (*place, key))
        else:
            yield _other(value, info, place)
    else:
        yield from _plain(value, info, extra, place)


def _struct(value: Any, info: inspect.StructType, place: Place) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield _other(value, info, place)
        return
    fields = {field.encode_name: field for field in info.fields}
    for name, item in value.items():
        if name in fields:
            yield from _look(item, fields[name].type, (*place, name))
        elif info.forbid_unknown_fields:
            left = [known for known in fields if known not in value]
            known = nearest(str(name), left) or f"; there are: {', '.join(fields)}"
            yield Fault((*place, name), f"there is no such field{known}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield Fault(place, f"the field `{name}` is missing: {expected(field.type)}")


def _list(value: Any, info: inspect.VarTupleType | inspect.ListType, place: Place) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        yield _other(value, info, place)
        return
    yield from _length(len(value), info, place)
    for index, item in enumerate(value):
        yield from _look(item, info.item_type, (*place, index))


def _length(
    length: int, info: inspect.VarTupleType | inspect.ListType | inspect.DictType, place: Place
) -> Iterator[Fault]:
    least, most = info.min_length or 0, info.max_length
    if length < least or (most is not None and length > most):
        number = f"between {least} and {most}" if most is not None else f"at least {'one' if least == 1 else least}"
        yield Fault(place, f"{number} of them, and there are {length or 'none'}")


def _union(value: Any, info: inspect.UnionType, place: Place) -> Iterator[Fault]:
    alike = [kind for kind in info.types if _is_alike(value, kind)]
    if len(alike) == 1:
        yield from _look(value, alike[0], place)
    elif not alike:
        yield _other(value, info, place)
    else:
        found = [tuple(_look(value, kind, place)) for kind in alike]
        if all(found):
            yield from found[0]


def _is_alike(value: Any, info: inspect.Type) -> bool:
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.StructType | inspect.DictType):
        return isinstance(value, dict)
    if isinstance(info, inspect.VarTupleType | inspect.ListType):
        return isinstance(value, list)
    if isinstance(info, inspect.NoneType):
        return value is None
    if isinstance(info, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _plain(value: Any, info: inspect.Type, extra: dict[str, Any], place: Place) -> Iterator[Fault]:
    if extra.get("duration"):
        yield from _duration(value, extra, place)
    elif isinstance(info, inspect.LiteralType | inspect.EnumType):
        words = _words(info)
        if not isinstance(value, str) or value not in words:
            yield Fault(place, f"{_shown(value)} is none of {', '.join(words)}{nearest(str(value), words)}")
    elif isinstance(info, inspect.BoolType):
        if not isinstance(value, bool):
            yield _other(value, info, place)
    elif isinstance(info, inspect.IntType | inspect.FloatType):
        yield from _number(value, info, place)
    elif isinstance(info, inspect.StrType):
        yield from _text(value, info, extra, place)


def _duration(value: Any, extra: dict[str, Any], place: Place) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(place, f"{_shown(value)} is not a duration: write a number and s, m, h or d, such as 60m")
        return
    try:
        seconds = duration(value)
    except ScenarioError as error:
        yield Fault(place, str(error))
        return
    most = extra.get("most")
    if most is not None and seconds > duration(most):
        yield Fault(place, f"{value!r} is longer than {most}")
    elif extra.get("positive") and seconds <= 0:
        yield Fault(place, "must be longer than 0")


def _number(value: Any, info: inspect.IntType | inspect.FloatType, place: Place) -> Iterator[Fault]:
    whole = isinstance(info, inspect.IntType)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        yield _other(value, info, place)
        return
    low, high = info.ge, info.le
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"between {low:,} and {high:,}" if low is not None and high is not None else (
            f"at least {low:,}" if low is not None else f"at most {high:,}"
        )  # fmt: skip
        yield Fault(place, f"must be {bounds}, and is {_shown(value)}")


def _text(value: Any, info: inspect.StrType, extra: dict[str, Any], place: Place) -> Iterator[Fault]:
    if not isinstance(value, str):
        quoted = extra.get("quoted")
        yield Fault(place, f"put it in quotes, as {quoted}") if quoted else _other(value, info, place)
    elif info.pattern is not None and fullmatch(info.pattern, value) is None:
        yield Fault(place, f"{value[:50]!r} {extra.get('advice', f'does not match {info.pattern}')}")
    elif info.min_length and len(value) < info.min_length:
        yield Fault(place, "must not be empty")
    elif info.max_length is not None and len(value) > info.max_length:
        yield Fault(place, f"longer than {info.max_length} characters")


def _other(value: Any, info: inspect.Type, place: Place) -> Fault:
    return Fault(place, f"{expected(info)} belongs here, not {_shown(value)}")


def expected(info: inspect.Type) -> str:
    """What a type takes, in words."""
    if isinstance(info, inspect.Metadata):
        extra = info.extra or {}
        if "quoted" in extra:
            return f"a time of day such as {extra['quoted']}"
        return "a duration such as 60m" if extra.get("duration") else expected(info.type)
    if isinstance(info, inspect.UnionType):
        return " or ".join(expected(kind) for kind in info.types if not isinstance(kind, inspect.NoneType))
    if isinstance(info, inspect.LiteralType | inspect.EnumType):
        return "one of " + ", ".join(_words(info))
    for kind, words in _IN_WORDS.items():
        if isinstance(info, kind):
            return words
    return "something else"


_IN_WORDS: dict[type, str] = {
    inspect.StructType: "fields (`name: value`)",
    inspect.DictType: "fields (`name: value`)",
    inspect.VarTupleType: "a list",
    inspect.ListType: "a list",
    inspect.StrType: "a text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
}


def _words(info: inspect.LiteralType | inspect.EnumType) -> list[str]:
    if isinstance(info, inspect.EnumType):
        return [str(member.value) for member in info.cls]
    return [str(value) for value in info.values]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "fields"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str | int | float) else f"{value} (in quotes it would be a text)"
    return text[:60]
