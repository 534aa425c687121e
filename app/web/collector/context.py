"""The context of an event: its long texts are cut. Pure."""

from typing import Any

from app.web.collector import fields

USER_AGENT_LIMIT = 256


def trim(context: dict[str, Any]) -> bool:
    """Cut the long texts of a context; whether there were any."""
    agent, page = context.get("userAgent"), context.get("page")
    long_agent = type(agent) is str and len(agent) > USER_AGENT_LIMIT
    long_page = type(page) is dict and any(type(v) is str and len(v) > fields.URL_LIMIT for v in page.values())
    if long_agent:
        context["userAgent"] = str(agent)[:USER_AGENT_LIMIT]
    if long_page and type(page) is dict:
        context["page"] = {k: v[: fields.URL_LIMIT] if type(v) is str else v for k, v in page.items()}
    return long_agent or long_page
