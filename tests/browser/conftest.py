"""Chromium over two origins. Without Chromium these tests are skipped loudly, or fail with BOOMERANG_REQUIRE_ALL=1."""

import itertools
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.servers import Recorder, Site, served

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en",
)
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all browser tests."""
    if not (CHROMIUM.exists() and CHROMEDRIVER.exists()):
        text = "BROWSER TESTS NOT RUN: apt-get install chromium chromium-driver"
        if os.environ.get("BOOMERANG_REQUIRE_ALL") == "1":
            pytest.fail(text)
        pytest.skip(text)
    from selenium import webdriver

    profile = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(CHROMEDRIVER)))
    driver.set_page_load_timeout(20)
    driver.set_script_timeout(20)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recording collector."""
    recorder = Recorder()
    with served(recorder.app) as recorder.port:
        yield recorder


@pytest.fixture
def site(recorder: Recorder) -> Iterator[Site]:
    """A site of the test's own pages, on another origin than the collector."""
    site = Site(recorder)
    with served(site.app) as site.port:
        yield site


class Visitor:
    """A visitor with a browser. Each test has its own host name, hence its own storage."""

    def __init__(self, driver: Any, site: Site, host: str) -> None:
        self.driver, self.site, self.base = driver, site, f"http://{host}:{site.port}"

    def open(self, path: str = "/") -> None:
        self.driver.get(self.base + path)
        self.until_ready()

    def until_ready(self) -> None:
        """Return when the tracker has taken the place of its stub."""
        self.run_async(
            "const look = () => window.boomerang && boomerang.initialized ? done() : setTimeout(look, 5); look();"
        )

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def run_async(self, script: str) -> Any:
        return self.driver.execute_async_script("const done = arguments[arguments.length - 1];" + script)

    def until(self, condition: str) -> None:
        """Return when a condition is true in the page, across navigations."""
        from selenium.webdriver.support.wait import WebDriverWait

        waiting = WebDriverWait(self.driver, 10, poll_frequency=0.02)
        waiting.until(lambda driver: driver.execute_script(f"return {condition}"))

    def pass_a_batch(self) -> None:
        """Let more time pass in the page than the tracker takes to send a batch; its own request says that it has."""
        name = f"mark{next(_numbers)}"
        self.run(f"setTimeout(() => fetch('{self.site.recorder.origin}/mark/{name}'), 600)")
        self.site.recorder.wait(lambda: name in self.site.recorder.marks, name)

    def stored(self, prefix: str = "boomerang.") -> list[str]:
        return self.run(f"return Object.keys(localStorage).filter((key) => key.startsWith('{prefix}')).sort()")

    def until_stored(self, count: int) -> None:
        """Return when `count` events lie in the queue in storage."""
        self.run_async(
            "const look = () => Object.keys(localStorage).filter((k) => k.startsWith('boomerang.q.')).length"
            f" === {count} ? done() : setTimeout(look, 5); look();"
        )


@pytest.fixture
def visitor(chromium: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A visitor; at the end of the test no page may have seen an error."""
    host = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-") + f"-{next(_numbers)}.localhost"
    visitor = Visitor(chromium, site, host)
    yield visitor
    errors = visitor.run("return window.errors || []")
    chromium.get("about:blank")
    assert errors == []
