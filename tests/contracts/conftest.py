"""The collector that knows sources of all chat providers."""

from tests.app.web.chat.conftest import chat_settings, desk  # noqa: F401 - fixtures
from tests.app.web.conftest import web_settings  # noqa: F401 - a fixture
