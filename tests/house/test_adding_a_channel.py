"""docs/adding-a-channel.md is followed to the letter: its pager becomes a channel and holds what every channel must hold."""

import inspect
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest

from channels import registry
from channels.registry import CHANNELS
from tests.contracts import providers, test_channels
from tests.contracts.providers import MODES, PROVIDERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-channel.md").read_text()
BLOCKS = {
    where: textwrap.dedent(text) for where, text in re.findall(r"```python\n# ([^\n]+)\n(.*?)```", PAGE, re.DOTALL)
}


@pytest.fixture
def pager(monkeypatch):
    """The steps of the page, one by one."""
    module = types.ModuleType("channels.pager")
    exec(compile(BLOCKS["channels/pager.py"], "channels/pager.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "channels.pager", module)

    fields = re.findall(r"(\w+): str = \"\"", BLOCKS["channels/registry.py, in Options"])
    options = registry.Options

    class Options(options):
        """The options of today with the settings of the page."""

        def __new__(cls, *args, **more):
            own = {name: more.pop(name, "") for name in fields}
            made = super().__new__(cls, *args, **more)
            made.__dict__.update(own)
            return made

        def _replace(self, **more):
            return Options(**{**self._asdict(), **self.__dict__, **more})

    space = {**vars(registry), "pager": module}
    exec(BLOCKS["channels/registry.py"], space)
    monkeypatch.setitem(registry.CHANNELS, module.NAME, space["_pager"])

    monkeypatch.setattr(providers, "OPTIONS", Options(**providers.OPTIONS._asdict()))
    tested = dict(vars(providers))
    exec(BLOCKS["tests/contracts/providers.py"], tested)
    monkeypatch.setitem(PROVIDERS, "pager", tested["pager"])
    return module


def conformance():
    """The tests of the suite that take a channel's name, with the mode where they take one."""
    for name, test in vars(test_channels).items():
        if name.startswith("test_") and "name" in inspect.signature(test).parameters:
            yield from (
                ((test, {"mode": mode}) for mode in MODES)
                if "mode" in inspect.signature(test).parameters
                else [(test, {})]
            )


def test_the_page_has_all_its_steps():
    assert list(BLOCKS) == [
        "channels/pager.py", "channels/registry.py, in Options", "channels/registry.py", "tests/contracts/providers.py",
    ]  # fmt: skip
    assert len(list(conformance())) > 12


@pytest.mark.parametrize(
    ("test", "more"), list(conformance()), ids=lambda value: getattr(value, "__name__", str(value))
)
async def test_the_channel_of_the_page_holds_what_every_channel_must_hold(pager, test, more):
    await test("pager", **more)


def test_the_channel_of_the_page_is_off_without_its_settings(pager):
    assert registry.CHANNELS["pager"](providers.OPTIONS) is None


def test_the_file_of_the_page_is_written_as_the_house_writes(tmp_path):
    told = ["check", "--config", str(ROOT / "pyproject.toml"), "--stdin-filename", "channels/pager.py", "-"]
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", *told],
        input=BLOCKS["channels/pager.py"],
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert ruff.returncode == 0, ruff.stdout


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_has_a_page_that_is_linked(name):
    page = (ROOT / "docs" / "channels" / f"{name}.md").read_text()
    assert f"({name}.md)" in (ROOT / "docs" / "channels" / "README.md").read_text()
    assert "BOOMERANG_" in page
