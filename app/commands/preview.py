"""`boomerang preview NAME`: what a scenario or a template would say, on each channel, with sample content."""

import argparse
import webbrowser
from email.utils import parseaddr
from pathlib import Path

from app.clock import SYSTEM
from app.errors import CommandError, UsageError
from app.settings import Settings, load

SAMPLE_LINK = "https://shop.example/u/token"
"""Stands for the unsubscribe link, which belongs to one customer and one message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("name", help="a scenario's id, or a template's name")
    parser.add_argument("--locale", default="", help="en or ru (default: BOOMERANG_LOCALE)")
    parser.add_argument(
        "--channel", default="", help="one channel (default: those of the scenario's cascade, else email)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the HTML of the mail to this file")
    parser.add_argument("--open", type=Path, metavar="FILE", help="the same, and show it in a browser")


def run(args: argparse.Namespace) -> int:
    """Print the texts. Raises CommandError, UsageError."""
    from agents.delivery.channels import template_folders
    from channels.examples import example_of, told_by
    from channels.render import LOCALES, RenderError, Templates

    settings = load()
    locale = args.locale or settings.locale
    if locale not in LOCALES:
        raise UsageError(f"--locale {locale!r} is none of {', '.join(LOCALES)}")
    templates = Templates(
        *template_folders(settings),
        shop_url=settings.shop_url,
        locale=locale,
        shop_name=parseaddr(settings.mail_from)[0],
        cpu=SYSTEM.cpu,
    )
    for channel, template in _stages(settings, args.name, args.channel):
        try:
            example = example_of(template, locale)
            if templates.is_alert(template):
                print(f"--- alert: {template}, {locale}", *templates.told(told_by(template, example)), "", sep="\n")
                continue
            texts = templates.render(template, example, SAMPLE_LINK, channel=channel)
        except RenderError as error:
            raise CommandError(str(error)) from None
        print(f"--- {channel}: {template}, {locale}\n{texts.subject}\n\n{texts.text.strip()}\n")
        file: Path | None = args.open or args.html
        if texts.html and file is not None:
            _write(file, texts.html)
            if args.open is not None and not webbrowser.open(file.absolute().as_uri()):
                print(f"there is no browser here: open {file} yourself")
    return 0


def _stages(settings: Settings, name: str, channel: str) -> list[tuple[str, str]]:
    """(channel, template) pairs to show."""
    from agents.scenarios.language import ScenarioError
    from agents.scenarios.load import alerts_of, load_folder, templates_of
    from channels import CHANNELS

    if channel and channel not in CHANNELS:
        raise UsageError(f"--channel {channel!r} is none of {', '.join(CHANNELS)}")
    try:
        scenarios = {scenario.id: scenario for scenario in load_folder(settings.scenarios, channels=CHANNELS)}
    except ScenarioError as error:
        raise CommandError(str(error)) from None
    if name not in scenarios:
        return [(channel or "email", name)]
    stages = templates_of(scenarios[name])
    if not channel:
        return stages + [("alert", told) for told in alerts_of(scenarios[name])]
    return [stage for stage in stages if stage[0] == channel] or [(channel, stages[0][1])]


def _write(path: Path, html: str) -> None:
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    print(f"the HTML is in {path}")
