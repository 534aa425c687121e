"""Templates to texts, in a sandbox that is bounded in time and size.

Templates are data to us: they get plain values (no objects with methods), a short list of filters, no method calls at all,
and a budget of steps and characters. One that breaks the rules fails when it is loaded or rendered, and only its own message
is parked.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, nodes
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.loaders import BaseLoader
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.model.trigger import Trigger
from channels import formats
from channels.alert import TEMPLATE, Card, as_values

TEMPLATES = Path(__file__).parent / "templates"
LOCALES = ("en", "ru")
NAMES = ("abandoned_cart", "abandoned_product", "abandoned_category", "abandoned_search")
"""Templates that come with the product; a scenario may name further ones that lie in the same folders."""
PARTS = ("subject.txt", "txt", "html")

MOST_OUTPUT = 512 * 1024
"""Characters of a rendered part."""
MOST_TEXT = 64 * 1024
"""Characters of a text that an expression makes."""
MOST_STEPS = 20_000
"""Loop turns and calls of one rendering."""
MOST_RANGE = 1_000
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_REFUSED = (
    nodes.Concat,
    nodes.Pow,
    nodes.FilterBlock,
    nodes.CallBlock,
    nodes.ExprStmt,
    nodes.ExtensionAttribute,
    nodes.EnvironmentAttribute,
    nodes.ImportedName,
    nodes.InternalName,
    nodes.ContextReference,
    nodes.DerivedContextReference,
    nodes.ScopedEvalContextModifier,
    nodes.EvalContextModifier,
    nodes.NSRef,
    nodes.OverlayScope,
    nodes.AssignBlock,
)


class RenderError(Exception):
    """A template cannot be loaded, or cannot be rendered with this content. The text says which and why."""


class Texts(NamedTuple):
    """The parts of a message."""

    subject: str
    text: str
    html: str


def _bounded_range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MOST_RANGE:
        raise SecurityError(f"a range of more than {MOST_RANGE}")
    return numbers


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, narrowed: no attributes but of data, no calls but of macros and `range`, bounded work."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, loader: BaseLoader | None = None) -> None:
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
        self.filters = {**own, "bounded": self._bounded}
        self.tests = {name: self.tests[name] for name in ("defined", "undefined", "none", "odd", "even", "divisibleby")}
        self.globals = {"range": _bounded_range}
        self.steps = 0

    def compile(self, source: Any, *args: Any, **kwargs: Any) -> Any:
        """Check the tree against what is allowed, and count the turns of every loop."""
        tree = self.parse(source, *args[:2]) if isinstance(source, str) else source
        self._check(tree)
        return super().compile(tree, *args, **kwargs)

    def _check(self, tree: nodes.Template) -> None:
        for node in tree.find_all(_REFUSED):
            raise SecurityError(f"line {node.lineno}: {type(node).__name__} is not allowed")
        for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            if not isinstance(node.template, nodes.Const):  # type: ignore[attr-defined]
                raise SecurityError(f"line {node.lineno}: the name of another template must be written out")
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                raise SecurityError(f"line {loop.lineno}: a recursive loop is not allowed")
            loop.iter = nodes.Filter(loop.iter, "bounded", [], [], None, None, lineno=loop.lineno)

    def step(self) -> None:
        """Spend one step of the rendering's budget."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise SecurityError(f"more than {MOST_STEPS} steps")

    def _bounded(self, values: Any) -> Iterator[Any] | list[Any]:
        if not isinstance(values, list | range | tuple):
            raise SecurityError("only lists can be looped over")
        self.steps += len(values)
        self.step()
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
        if isinstance(obj, dict | list | tuple | str | range):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=str(argument)[:100])
        return self.unsafe_undefined(obj, str(argument)[:100])

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, blocks and `range`."""
        self.step()
        return obj is _bounded_range or isinstance(obj, Macro | BlockReference)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers; `+` on texts and lists while the result is small."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if numbers and abs(left) < 1e15 and abs(right) < 1e15:
            return super().call_binop(context, operator, left, right)
        if operator == "+" and type(left) is type(right) and len(left) + len(right) <= MOST_TEXT:
            return left + right
        raise SecurityError(f"{operator} is not allowed here")


def _autoescape(name: str | None) -> bool:
    return name is None or ".html" in name


class Templates:
    """All templates of a folder, compiled once. `shop_url`, `locale` and `shop_name` (else the host) are what a trigger does not say."""

    def __init__(
        self,
        folder: Path = TEMPLATES,
        *,
        shop_url: str = "http://127.0.0.1:8002",
        locale: str = "en",
        shop_name: str = "",
    ) -> None:
        self._folder = folder
        self._shop_url = shop_url.rstrip("/")
        self._shop_name = shop_name or formats.known_host(shop_url)
        self._locale = locale if locale in LOCALES else LOCALES[0]
        self._env = Sandbox(FileSystemLoader(folder))
        self._loaded: dict[tuple[str, str], tuple[Template, Template, Template]] = {}

    def load(self) -> list[str]:
        """Compile every template in every language; returns what is wrong, one line each."""
        found = sorted(
            {path.name.split(".", 1)[0] for locale in LOCALES for path in (self._folder / locale).glob("*.html.j2")}
        )
        problems = []
        for name in {*NAMES, TEMPLATE, *found}:
            for locale in LOCALES:
                try:
                    self._get(name, locale)
                except RenderError as error:
                    problems.append(str(error))
        return sorted(problems)

    def language(self, wanted: str) -> str:
        """The language of a message: what the customer's locale begins with if we speak it, else the shop's."""
        short = wanted[:2].lower()
        return short if short in LOCALES else self._locale

    def _get(self, name: str, locale: str) -> tuple[Template, Template, Template]:
        ready = self._loaded.get((name, locale))
        if ready is None:
            try:
                one, two, three = (self._env.get_template(f"{locale}/{name}.{part}.j2") for part in PARTS)
            except TemplateNotFound as error:
                raise RenderError(f"template {locale}/{name}: {self._folder}/{error.name} is missing"[:300]) from None
            except (TemplateError, ValueError) as error:
                raise RenderError(f"template {locale}/{name}: {type(error).__name__}: {error}"[:300]) from None
            ready = self._loaded[name, locale] = (one, two, three)
        return ready

    def render(self, name: str, trigger: Trigger, unsubscribe: str, card: Card | None = None) -> Texts:
        """The texts of one message; `card` is an alert's. Raises RenderError, whatever the template or the content does."""
        locale = self.language(trigger.locale)
        subject, text, html = self._get(name, locale)
        values = {**self._context(trigger, locale, unsubscribe), "alert": as_values(card)}
        plain = formats.plain(values)
        return Texts(
            " ".join(self._run(subject, plain).split())[:200],
            self._run(text, plain),
            self._run(html, values),
        )

    def _context(self, trigger: Trigger, locale: str, unsubscribe: str) -> dict[str, Any]:
        content = trigger.content
        items = [formats.line(item, content.currency, locale, self._shop_url) for item in content.items]
        similar = [formats.line(item, content.currency, locale, self._shop_url) for item in content.similar]
        return {
            "locale": locale,
            "name": content.name,
            "items": items,
            "similar": similar,
            "category": content.category,
            "query": content.query,
            "results": content.results,
            "currency": content.currency,
            "count": len(items),
            "value": formats.money(content.value, content.currency, locale) if content.value else "",
            "shop_url": self._shop_url,
            "shop_name": self._shop_name,
            "unsubscribe": unsubscribe,
            "marketing": trigger.marketing,
        }

    def _run(self, template: Template, values: Mapping[str, Any]) -> str:
        self._env.steps = 0
        pieces, length = [], 0
        try:
            for piece in template.generate(values):
                length += len(piece)
                if length <= MOST_OUTPUT:
                    pieces.append(piece)
                else:
                    break
        except Exception as error:
            raise RenderError(f"template {template.name}: {type(error).__name__}: {error}"[:300]) from None
        if length > MOST_OUTPUT:
            raise RenderError(f"template {template.name}: more than {MOST_OUTPUT} characters")
        return "".join(pieces)
