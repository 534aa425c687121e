"""The stage that leads the links of a marketing message over the collector, and what is remembered of a message.

Before it is spoken that is the code of its return path, after that its provider's id.
In a mail a tracked link carries its target, signed; so does the pixel its message. Where every letter counts (all other channels) it
is a short code that Redis knows; when Redis does not answer, the link stays as it is, untracked.
"""

from agents.delivery.links import Links
from agents.delivery.tracked import LINKS, OPENS, check_tracking
from app.settings import Settings
from channels import rewrite
from channels.channel import Provided, Rendered
from channels.pipeline import Job, Verdict
from channels.references import PROVIDER_ID, RETURNED, SHORT_LINK, References
from channels.rewrite import in_html, in_text, with_parameters, with_pixel

_PROSE = "email"
"""The channel whose messages have room for long links."""


class Tracking:
    """The stage. `references`: None without Redis, and only mails are tracked. Raises SettingsError."""

    def __init__(self, settings: Settings, links: Links, references: References | None) -> None:
        self._tracked, self._utm = check_tracking(settings)
        self._links, self._references, self._verp = links, references, bool(settings.bounce_verp)

    async def __call__(self, job: Job) -> Verdict | None:
        """Rewrite what was rendered; decides nothing."""
        message = job.rendered
        assert message is not None, "rendered by the stage before"
        if self._verp and job.channel.name == _PROSE and message.receipt_url:
            job.rendered = message = message._replace(return_code=await self._return_code(job))
        if not job.trigger.marketing or message.cards or not (self._tracked or self._utm):
            return None
        wanted = self._utm.of(job.channel.name, message.scenario)
        led = {}
        for number, target in enumerate(
            rewrite.targets(message.html, f"{message.text}\n{message.link}", self._links.is_ours)
        ):
            there = with_parameters(target, wanted)
            led[target] = await self._lead(job, message, number, there) if LINKS in self._tracked else there
        html = in_html(message.html, led)
        if OPENS in self._tracked and job.channel.name == _PROSE and html:
            html = with_pixel(html, self._links.pixel(job.trigger, job.channel.name, message))
        job.rendered = message._replace(
            text=in_text(message.text, led), html=html, link=led.get(message.link, message.link)
        )
        return None

    async def _return_code(self, job: Job) -> str:
        """The code of the mail's return path, known before its first bounce can come; "": it cannot be kept."""
        code = self._links.return_code(job.message_id)
        token = self._links.receipt_token(job.message_id, job.trigger, job.channel.name)
        known = self._references is not None and await self._references.remember(
            PROVIDER_ID, f"{RETURNED}:{code}", token
        )
        return code if known else ""

    async def _lead(self, job: Job, message: Rendered, number: int, target: str) -> str:
        token = self._links.tracked(job.trigger, job.channel.name, message, number, target)
        if job.channel.name == _PROSE:
            return self._links.over_us(token)
        code = self._links.code(message, number)
        if self._references is not None and await self._references.remember(SHORT_LINK, code, token):
            return self._links.over_us(code)
        return target

    async def handed(self, job: Job, provider_id: str) -> None:
        """The provider has it: its id will stand in its receipts, if those come by id alone."""
        if provider_id and self._references is not None and isinstance(job.channel, Provided):
            token = self._links.receipt_token(job.message_id, job.trigger, job.channel.name)
            await self._references.remember(PROVIDER_ID, f"{job.channel.provider}:{provider_id}", token)

    async def stop(self) -> None:
        """Close the connections."""
        if self._references is not None:
            await self._references.stop()
