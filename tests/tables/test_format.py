"""The number of the format stands for the shapes of what changelogs hold: whoever changes one has to raise the other."""

from hashlib import blake2b

import msgspec
from msgspec import inspect

from channels import ledger
from tables.changelog import FORMAT, Fence
from tables.customer import Row

SHAPES = {4: "b8251e2bf5d37597"}
"""Format -> digest of the shapes that it stands for. Former ones stay, as a record."""


def shape_of(kind, known=()):
    """A type as text: structs by their tags and fields in order, containers by what they hold."""
    if isinstance(kind, inspect.StructType):
        name = kind.cls.__name__
        if name in known:
            return name
        inside = (*known, name)
        fields = ",".join(f"{field.encode_name}:{shape_of(field.type, inside)}" for field in kind.fields)
        return f"{name}[{kind.tag}]({fields})"
    parts = []
    for name in getattr(kind, "__struct_fields__", ()):
        value = getattr(kind, name)
        if isinstance(value, inspect.Type):
            parts.append(shape_of(value, known))
        elif isinstance(value, tuple) and value and isinstance(value[0], inspect.Type):
            parts.append("|".join(sorted(shape_of(one, known) for one in value)))
    inside = f"<{';'.join(parts)}>" if parts else ""
    enum = getattr(kind, "cls", None)
    return type(kind).__name__ + (enum.__name__ if enum is not None else "") + inside


def digest():
    text = "\n".join(shape_of(inspect.type_info(kind)) for kind in (Fence, Row, ledger.Row))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def test_whoever_changes_what_a_changelog_holds_raises_its_format():
    assert digest() == SHAPES[FORMAT], (
        "the rows of the changelogs have another shape than this format stands for: raise FORMAT in tables/changelog.py, "
        "say in tables/upcast.py and CHANGELOG.md what changed, and write the new digest down here"
    )


def test_the_digest_sees_a_field_at_an_end_and_another_type():
    class One(msgspec.Struct, array_like=True, tag=1):
        a: int
        b: list[str] = []

    Longer = msgspec.defstruct("One", [("a", int), ("b", list[str], []), ("c", int, 0)], array_like=True, tag=1)
    Other = msgspec.defstruct("One", [("a", float), ("b", list[str], [])], array_like=True, tag=1)
    Inner = msgspec.defstruct("One", [("a", int), ("b", list[int], [])], array_like=True, tag=1)
    same = msgspec.defstruct("One", [("a", int), ("b", list[str], [])], array_like=True, tag=1)
    shapes = [shape_of(inspect.type_info(kind)) for kind in (One, Longer, Other, Inner)]
    assert len(set(shapes)) == 4
    assert shape_of(inspect.type_info(same)) == shapes[0]
