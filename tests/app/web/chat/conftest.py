"""A collector that knows sources of all providers."""

from dataclasses import replace

import pytest

from app.codec import decode_chat
from app.web.chat import retailcrm
from app.web.chat.courier import Courier
from app.web.chat.found import Place
from tests.app.web.chat.frames import EXAMPLES, RETAILCRM, SOURCES
from tests.app.web.conftest import NOW, House

CRM = retailcrm.Config("https://mg.shop.example", "retailcrm-bot-token")


class Desk(House):
    """A collector to talk to as the providers do."""

    async def tell(self, provider, frame, *, path="", **sign):
        """POST a frame as its provider would; `sign` changes how it is signed."""
        body, headers = EXAMPLES[provider].call(frame, **sign)
        return await self.http.post(path or EXAMPLES[provider].path, content=body, headers=headers)

    @property
    def courier(self):
        """What brings events to Kafka."""
        return Courier(self.settings, self.intake)

    @property
    def said(self):
        """The records of `chat`."""
        return [decode_chat(value) for value in self._of("chat")]


@pytest.fixture
def chat_settings(web_settings, tmp_path):
    file = tmp_path / "chats.yaml"
    file.write_text(SOURCES)
    return replace(web_settings, chats=str(file))


@pytest.fixture
async def desk(chat_settings):
    desk = Desk(chat_settings)
    await desk.intake.start()
    yield desk
    await desk.http.aclose()
    await desk.intake.close()


@pytest.fixture
def frame_of():
    """The only event of one of RetailCRM's frames."""

    def read(name):
        found = retailcrm.events(RETAILCRM[name], CRM, Place("retailcrm", "crm", NOW))
        (event,) = found.events
        assert (found.refused, found.ignored) == ([], 0)
        return event

    return read
