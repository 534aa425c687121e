"""Equality of compiled conditions: what was compiled from the same words is the same, so that a reload finds what has really changed. Pure."""


class Alike:
    """Equal to whatever is of the same kind and holds the same in its slots."""

    __slots__ = ()

    def _held(self) -> tuple[object, ...]:
        names = [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]
        return tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same."""
        return isinstance(other, Alike) and type(other) is type(self) and self._held() == other._held()

    def __hash__(self) -> int:
        """Of what it holds."""
        return hash((type(self), self._held()))
