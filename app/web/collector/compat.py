"""What other vendors' browser libraries ask for before they send anything: their settings, pointing at us. Pure."""

from typing import Any
from urllib.parse import urlsplit

import orjson

from app.web.collector.http import JSON, Headers, Response

_HEADERS: Headers = [*(h for h in JSON if h[0] != b"cache-control"), (b"cache-control", b"public, max-age=300")]


def _event_plan() -> dict[str, Any]:
    return {"__default": {"enabled": True, "integrations": {}}}


def segment_settings(write_key: str, public_base: str) -> Response:
    """`/v1/projects/KEY/settings`: makes @segment/analytics-next send its events to `public_base`/v1."""
    base = urlsplit(public_base)
    document = {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{base.netloc}{base.path}/v1",
                "protocol": base.scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {
            "track": _event_plan(),
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
        "autoInstrumentationSettings": {"sampleRate": 0},
    }
    return Response(200, orjson.dumps(document), _HEADERS)


def rudder_source(write_key: str) -> Response:
    """`/sourceConfig/?writeKey=KEY`: an enabled source without destinations, so that RudderStack's libraries send to us."""
    source = {
        "id": "boomerang",
        "name": "boomerang",
        "writeKey": write_key,
        "enabled": True,
        "workspaceId": "boomerang",
        "sourceDefinitionId": "boomerang",
        "sourceDefinition": {"id": "boomerang", "name": "Javascript"},
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "connections": [],
        "destinations": [],
        "dataplanes": {},
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }
    document = {"source": source, "updatedAt": source["updatedAt"], "consentManagementMetadata": {"providers": []}}
    return Response(200, orjson.dumps(document), _HEADERS)
