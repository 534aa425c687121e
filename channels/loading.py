"""Where templates come from: the shop's folder over ours, bounded files, MJML compiled when it is read. The only user of mrml."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import mrml
from jinja2 import Environment, TemplateNotFound, TemplateSyntaxError
from jinja2.loaders import BaseLoader, split_template_path

MOST_BYTES = 128 * 1024
"""Of one template's file."""
MOST_DEPTH = 200
"""Elements inside of each other in MJML: the compiler is recursive."""
_HTML, _MJML = ".html.j2", ".mjml.j2"
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_MARK = "J1nj4"
_HELD = re.compile(_MARK + "x(\\d+)x")
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(/?)>")
_VOID = frozenset(("area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))


class Folders(BaseLoader):
    """Reads a template from the first folder that has it. `NAME.mjml.j2` stands for the `NAME.html.j2` that it is compiled to."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Jinja's question. Raises TemplateNotFound, or TemplateSyntaxError for a file that is too large or cannot be read."""
        del environment
        path = self.find(template)
        if path is None:
            raise TemplateNotFound(template)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise TemplateSyntaxError(f"larger than {MOST_BYTES // 1024} KiB", 1, template, str(path))
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise TemplateSyntaxError("not UTF-8", 1, template, str(path)) from None
        except OSError as error:
            raise TemplateSyntaxError(f"cannot be read: {error.strerror}", 1, template, str(path)) from None
        if path.name.endswith(_MJML):
            try:
                text = compiled(text)
            except ValueError as error:
                raise TemplateSyntaxError(str(error), 1, template, str(path)) from None
        return text, str(path), None

    def find(self, template: str) -> Path | None:
        """The file of a template, if there is one."""
        parts = split_template_path(template)
        for folder in self._folders:
            path = folder.joinpath(*parts)
            if path.is_file():
                return path
            if path.name.endswith(_HTML):
                path = path.with_name(path.name.removesuffix(_HTML) + _MJML)
                if path.is_file():
                    return path
        return None

    def names(self, locale: str) -> set[str]:
        """Names of the templates that lie in the folder of a language."""
        files = (path.name for folder in self._folders for path in (folder / locale).glob("*.j2"))
        return {name.split(".", 1)[0] for name in files}


def compiled(text: str) -> str:
    """MJML to HTML. Jinja's tags stay where they are, also between elements; what stands before `<mjml` stays before the HTML.

    Raises ValueError with one line that says what is wrong.
    """
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"{_MARK}x{len(held) - 1}x"

    if _MARK in text:
        raise ValueError(f"{_MARK} is our own mark")
    before, mark, rest = _JINJA.sub(hold, text).partition("<mjml")
    if not mark:
        raise ValueError("there is no <mjml> in it")
    if _depth(rest) > MOST_DEPTH:
        raise ValueError(f"elements nested deeper than {MOST_DEPTH} levels")
    try:
        html = mrml.to_html(mark + rest, render_options=mrml.RenderOptions(fonts={})).content
    except Exception as error:
        raise ValueError(f"not MJML: {error}"[:200]) from None
    return _restored(held, before) + _restored(held, html)


def _restored(held: Sequence[str], text: str) -> str:
    """The text with Jinja's tags put back."""
    return _HELD.sub(lambda match: held[int(match[1])], text)


def _depth(text: str) -> int:
    deepest = depth = 0
    for closing, name, alone in _TAG.findall(text):
        if closing:
            depth -= 1
        elif not alone and name.lower() not in _VOID:
            depth += 1
            deepest = max(deepest, depth)
    return deepest
