"""Jinja's sandbox, narrowed: what a template may do, and how much of it.

Templates are data to us: they get plain values (no objects with methods), a short list of filters, no calls but of macros, and a
budget. Every turn of a loop costs as much as its body is long, every call of a macro as much as the macro is: so the work of one
rendering is bounded whatever the template does. Seconds of CPU are bounded besides (`TooSlowError`), and looked at on every step and on
every piece of output.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.loaders import BaseLoader
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment

from channels import formats

MOST_TEXT = 64 * 1024
"""Characters of a text that an expression makes."""
MOST_STEPS = 200_000
"""Parts of expressions that one rendering goes through."""
BETWEEN_LOOKS = 200
"""Steps between two looks at the time, which cost half a microsecond each."""
MOST_RANGE = 1_000
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_COMPARING = 10
"""Steps of a comparison, which may be one of long texts."""
_REFUSED = (
    nodes.Concat,
    nodes.Pow,
    nodes.FilterBlock,
    nodes.CallBlock,
    nodes.ExprStmt,
    nodes.ExtensionAttribute,
    nodes.EnvironmentAttribute,
    nodes.ImportedName,
    nodes.Include,
    nodes.InternalName,
    nodes.ContextReference,
    nodes.DerivedContextReference,
    nodes.ScopedEvalContextModifier,
    nodes.EvalContextModifier,
    nodes.NSRef,
    nodes.OverlayScope,
    nodes.AssignBlock,
)
_IMPORTS = (nodes.Import, nodes.FromImport)


class TooSlowError(SecurityError):
    """The rendering has used up its seconds of CPU."""


def _bounded_range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MOST_RANGE:
        raise SecurityError(f"a range of more than {MOST_RANGE}")
    return numbers


def _weight(parts: list[nodes.Node]) -> int:
    """How many steps it takes to go through these parts once."""
    found = [node for part in parts for node in (part, *part.find_all(nodes.Node))]
    return 1 + len(found) + _COMPARING * sum(isinstance(node, nodes.Compare) for node in found)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, narrowed: no attributes but of data, no calls but of macros and `range`, bounded work."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, loader: BaseLoader | None = None, cpu: Callable[[], float] = float) -> None:
        """`cpu` counts the seconds of CPU that this thread has used."""
        self._cpu = cpu
        self._steps, self._look_at, self._until = 0, 0, float("inf")
        self._weights: dict[str, int] = {}
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=_autoescape,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=1024,
            extensions=[],
        )
        own: dict[str, Callable[..., Any]] = {**formats.FILTERS}
        own |= {
            name: self.filters[name] for name in ("e", "escape", "default", "length", "first", "last", "trim", "round")
        }
        self.filters = {name: self._charged(filter_) for name, filter_ in own.items()} | {"bounded": self._bounded}
        self.tests = {name: self.tests[name] for name in ("defined", "undefined", "none", "odd", "even", "divisibleby")}
        self.globals = {"range": _bounded_range}

    def begin(self, seconds: float) -> None:
        """A rendering begins, which may take so many seconds of CPU."""
        self._steps, self._look_at, self._until = 0, BETWEEN_LOOKS, self._cpu() + seconds

    def spend(self, steps: int = 1) -> None:
        """Take steps from the rendering's budget. Raises SecurityError when it is empty, TooSlowError when its time is up."""
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise SecurityError(f"more than {MOST_STEPS} steps")
        if self._steps >= self._look_at:
            self._look_at = self._steps + BETWEEN_LOOKS
            if self._cpu() > self._until:
                raise TooSlowError("it takes too long")

    def _charged(self, filter_: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(filter_)
        def spending(*args: Any, **kwargs: Any) -> Any:
            self.spend()
            return filter_(*args, **kwargs)

        return spending

    def compile(self, source: Any, *args: Any, **kwargs: Any) -> Any:
        """Check the tree against what is allowed, and count the turns of every loop."""
        tree = self.parse(source, *args[:2]) if isinstance(source, str) else source
        self._check(tree)
        return super().compile(tree, *args, **kwargs)

    def _check(self, tree: nodes.Template) -> None:
        for node in tree.find_all(_REFUSED):
            raise SecurityError(f"line {node.lineno}: {type(node).__name__} is not allowed")
        for node in tree.find_all((nodes.Extends, *_IMPORTS)):
            if not isinstance(node.template, nodes.Const):  # type: ignore[attr-defined]
                raise SecurityError(f"line {node.lineno}: the name of another template must be written out")
        for node in tree.find_all((nodes.Extends, *_IMPORTS)):
            # compiled now, and not by the first message
            self.get_template(node.template.value)  # type: ignore[attr-defined]
        for node in tree.find_all((nodes.For, nodes.Macro)):
            for inner in node.find_all((*_IMPORTS, nodes.Block)):
                raise SecurityError(f"line {inner.lineno}: imports and blocks do not belong into loops and macros")
        for node in tree.find_all(_IMPORTS):
            if node.with_context:  # type: ignore[attr-defined]
                raise SecurityError(f"line {node.lineno}: an import with context is not allowed")
        for macro in tree.find_all((nodes.Macro, nodes.Block)):
            name: str = macro.name  # type: ignore[attr-defined]
            self._weights[name] = max(self._weights.get(name, 0), _weight(macro.body))  # type: ignore[attr-defined]
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                raise SecurityError(f"line {loop.lineno}: a recursive loop is not allowed")
            weight = nodes.Const(_weight([*loop.body, *([loop.test] if loop.test else [])]))
            loop.iter = nodes.Filter(loop.iter, "bounded", [weight], [], None, None, lineno=loop.lineno)

    def _bounded(self, values: Any, weight: int) -> Iterator[Any] | list[Any]:
        if not isinstance(values, list | range | tuple):
            raise SecurityError("only lists can be looped over")
        self.spend(1 + len(values) * weight)
        return values  # type: ignore[return-value]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value of a mapping, or a loop's counters; nothing else has attributes."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, TemplateReference) and not attribute.startswith("_"):
            return obj[attribute]
        if isinstance(obj, TemplateModule) and isinstance(obj.__dict__.get(attribute), Macro):
            return obj.__dict__[attribute]
        return self.unsafe_undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item of a mapping or a list."""
        self.spend()
        if isinstance(obj, dict | list | tuple | str | range):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=str(argument)[:100])
        return self.unsafe_undefined(obj, str(argument)[:100])

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, blocks and `range`."""
        self.spend(self._weights.get(obj.name or "", 1) if isinstance(obj, Macro | BlockReference) else 1)
        return obj is _bounded_range or isinstance(obj, Macro | BlockReference)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers; `+` on texts and lists while the result is small."""
        self.spend()
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if numbers and abs(left) < 1e15 and abs(right) < 1e15:
            return super().call_binop(context, operator, left, right)
        if operator == "+" and type(left) is type(right) and len(left) + len(right) <= MOST_TEXT:
            return left + right
        raise SecurityError(f"{operator} is not allowed here")


def _autoescape(name: str | None) -> bool:
    return name is None or ".html" in name
