"""Templates to texts, in a sandbox that is bounded in work, time and size (channels/sandbox.py).

One that breaks the rules fails when it is loaded or rendered, and only its own message is parked.

A template has parts, by what the channel shows: a mail its subject, HTML and text, a push notification a title and a body, an SMS one
short text, a messenger the text.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Template, TemplateError
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

from app.model.trigger import CONFIRMATION, Content, Trigger
from channels import formats
from channels.alert import TEMPLATE, Card, as_values
from channels.loading import Folders
from channels.plaintext import text_of
from channels.sandbox import Sandbox, TooSlowError

TEMPLATES = Path(__file__).parent / "templates"
LOCALES = ("en", "ru")
NAMES = ("abandoned_cart", "abandoned_product", "abandoned_category", "abandoned_search")
"""Templates that come with the product; a scenario may name further ones that lie in the same folders."""

SUBJECT, TEXT, HTML, SMS, PUSH, WHATSAPP = "subject.txt", "txt", "html", "sms.txt", "push.txt", "whatsapp.txt"
ALERT = "alert.txt"
"""The part that tells the sales team of a customer: its first line is the alert's title."""
SHORT = {"sms": SMS, "webpush": PUSH, "fcm": PUSH}
"""Channels that show a part of their own instead of the long text."""
OWN = {"whatsapp": WHATSAPP}
"""Channels whose part stands for nothing else, line by line: what has none cannot go out there."""
UNMARKED = frozenset({"telegram", "vk", "webhook"})
"""Channels that show the long text alone: the HTML part is rendered only where there is no text part."""

MOST_OUTPUT = 512 * 1024
"""Characters of a rendered part."""
MOST_SHORT = 2_000
"""Characters of a short text."""
MOST_SECONDS = 2.0
"""Of CPU, for all parts of one message."""


def names_in(folders: Sequence[Path]) -> list[str]:
    """The names of all templates of these folders, whatever their language."""
    found = Folders(folders)
    return sorted({name for locale in LOCALES for name in found.names(locale)})


class RenderError(Exception):
    """A template cannot be loaded, or cannot be rendered with this content. The text says which and why."""


class RenderTooSlowError(RenderError):
    """It could not be rendered within the seconds that it had."""


class Texts(NamedTuple):
    """The parts of a message. `link` is where a tap on it leads."""

    subject: str
    text: str
    html: str
    link: str = ""


class Templates:
    """All templates, compiled once. `shop_url`, `locale` and `shop_name` (else the host) are what a trigger does not say.

    `folders`: the first one that has a template counts. `cpu` counts seconds of CPU of the thread; without it only the work is bounded.
    """

    def __init__(
        self,
        *folders: Path,
        shop_url: str = "http://127.0.0.1:8002",
        locale: str = "en",
        shop_name: str = "",
        cpu: Callable[[], float] = float,
    ) -> None:
        self._options = (folders, shop_url, locale, shop_name, cpu)
        self._folders = Folders(folders or (TEMPLATES,))
        self._where = " or ".join(map(str, folders or (TEMPLATES,)))
        self._shop_url = shop_url.rstrip("/")
        self._shop_name = shop_name or formats.known_host(shop_url)
        self._locale = locale if locale in LOCALES else LOCALES[0]
        self._env = Sandbox(self._folders, cpu)
        self._loaded: dict[str, Template | None] = {}
        self.generation = 0
        """Grows with every `take`."""

    def take(self, fresh: "Templates") -> None:
        """Go on with the templates as `fresh` has read them."""
        self._env, self._loaded = fresh._env, fresh._loaded  # noqa: SLF001 -- of the same class
        self.generation += 1

    def twin(self) -> "Templates":
        """The same templates with a budget of their own, for another thread."""
        folders, shop_url, locale, shop_name, cpu = self._options
        return Templates(*folders, shop_url=shop_url, locale=locale, shop_name=shop_name, cpu=cpu)

    def load(self, only: Collection[str] | None = None) -> list[str]:
        """Compile every template (of these names, if they are told) in every language; returns what is wrong, one line each."""
        problems = []
        found = (name for locale in LOCALES for name in self._folders.names(locale))
        for name in {*NAMES, TEMPLATE, CONFIRMATION, *found} if only is None else set(only):
            needed = (ALERT,) if self.is_alert(name) else (SUBJECT, HTML)
            for locale in LOCALES:
                for part in needed:
                    try:
                        self._part(name, locale, part, needed=True)
                    except RenderError as error:
                        problems.append(str(error))
                        break
                for part in {SUBJECT, HTML, TEXT, SMS, PUSH, WHATSAPP} - set(needed):
                    try:
                        self._part(name, locale, part)
                    except RenderError as error:
                        problems.append(str(error))
        return sorted(problems)

    def is_alert(self, name: str) -> bool:
        """Whether a template tells the sales team of a customer."""
        try:
            return any(self._folders.find(f"{locale}/{name}.{ALERT}.j2") for locale in LOCALES)
        except TemplateNotFound:  # no name of a file
            return False

    def language(self, wanted: str) -> str:
        """The language of a message: what the customer's locale begins with if we speak it, else the shop's."""
        short = wanted[:2].lower()
        return short if short in LOCALES else self._locale

    def _part(self, name: str, locale: str, part: str, *, needed: bool = False) -> Template | None:
        """A part of a template; None where it has none and need not have it. Raises RenderError."""
        file = f"{locale}/{name}.{part}.j2"
        if file not in self._loaded:
            try:
                self._loaded[file] = self._env.get_template(file)
            except TemplateNotFound as error:
                if error.name != file:
                    raise RenderError(f"template {locale}/{name}: {self._where}: {error.name} is missing") from None
                self._loaded[file] = None
            except (TemplateError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
                raise RenderError(f"template {locale}/{name}: {_told(error)}"[:300]) from None
        found = self._loaded[file]
        if found is None and needed:
            raise RenderError(f"template {locale}/{name}: {self._where}/{file} is missing"[:300])
        return found

    def render(
        self,
        name: str,
        trigger: Trigger,
        signed: str,
        card: Card | None = None,
        *,
        channel: str = "email",
        seconds: float = MOST_SECONDS,
    ) -> Texts:
        """The texts of one message; `signed` is its link to unsubscribe (or, where it asks for that, to confirm), `card` an alert's; `seconds` of CPU it may take.

        Raises RenderError, whatever the template or the content does; RenderTooSlowError when the time is up.
        """
        locale = self.language(trigger.locale)
        values = {**self._context(trigger, locale, signed), "alert": as_values(card)}
        plain = formats.plain(values)
        link = str(values["link"])
        own = (SHORT | OWN).get(channel, "") if card is None else ""
        wanted = (SUBJECT, own) if own else (SUBJECT, HTML, TEXT)
        needed = (SUBJECT, HTML, *OWN.values())
        parts = {part: self._part(name, locale, part, needed=part in needed) for part in wanted}
        self._env.begin(seconds)  # compiling, which happens once, is not counted
        subject = " ".join(self._run(parts[SUBJECT], plain).split())[:200]
        if own:
            text = self._run(parts[own], plain)
            text = text if channel in OWN else " ".join((text or _fallback(subject, link, channel)).split())
            return Texts(subject, text[:MOST_SHORT], "", link)
        if card is None and channel in UNMARKED and parts[TEXT] is not None:
            return Texts(subject, self._run(parts[TEXT], plain), "", link)
        html = self._run(parts[HTML], values)
        return Texts(subject, self._run(parts[TEXT], plain) or text_of(html), html, link)

    def told(self, trigger: Trigger, *, seconds: float = MOST_SECONDS) -> tuple[str, str]:
        """Title and note of an alert whose step names a template: plain, and each on one line. Raises RenderError."""
        alert = trigger.alert
        assert alert is not None, "asked for an alert alone"
        locale = self.language(trigger.locale)
        part = self._part(alert.template, locale, ALERT, needed=True)
        values = {**self._context(trigger, locale, ""), "customer": formats.customer(alert, locale)}
        self._env.begin(seconds)
        lines = [
            line.strip() for line in self._run(part, formats.plain(values))[:MOST_SHORT].splitlines() if line.strip()
        ]
        if not lines:
            raise RenderError(f"template {locale}/{alert.template}: it says nothing")
        return lines[0], " ".join(lines[1:])

    def _context(self, trigger: Trigger, locale: str, signed: str) -> dict[str, Any]:
        content, asks = trigger.content, bool(trigger.confirm_until)
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
            "order_id": content.order_id,
            "bonus": formats.bonus(content.bonus, locale),
            "delivery": formats.delivery(content.delivery, locale),
            "traits": content.traits,
            "tags": content.tags,
            "slots": [formats.slot(at, trigger.timezone, locale, self._booking(content)) for at in content.slots],
            "shop_url": self._shop_url,
            "link": signed if asks else items[0]["url"] if len(items) == 1 else self._shop_url,
            "shop_name": self._shop_name,
            "unsubscribe": "" if asks else signed,
            "confirm": signed if asks else "",
            "marketing": trigger.marketing,
        }

    def _booking(self, content: Content) -> str:
        product = content.items[0].product_id if content.items else ""
        return formats.booking(content.booking, product, self._shop_url)

    def _run(self, template: Template | None, values: Mapping[str, Any]) -> str:
        if template is None:
            return ""
        pieces, length = [], 0
        try:
            for piece in template.generate(values):
                length += len(piece)
                self._env.spend()
                if length <= MOST_OUTPUT:
                    pieces.append(piece)
                else:
                    break
        except TooSlowError as error:
            raise RenderTooSlowError(f"template {template.name}: {error}") from None
        except Exception as error:
            raise RenderError(f"template {template.name}: {type(error).__name__}: {error}"[:300]) from None
        if length > MOST_OUTPUT:
            raise RenderError(f"template {template.name}: more than {MOST_OUTPUT} characters")
        return "".join(pieces)


def _told(error: BaseException) -> str:
    """The error on one line, with the line of the template where that is known."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.name or ''} line {error.lineno}: {error.message}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _fallback(subject: str, link: str, channel: str) -> str:
    """What a template without a short text says: its subject, and by SMS where to go."""
    return f"{subject} {link}" if channel == "sms" else subject
