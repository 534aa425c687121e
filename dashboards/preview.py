"""Draws the dashboards' JSON against a Prometheus into one plain page. A preview for where no Grafana is; not Grafana.

python dashboards/preview.py --prometheus http://127.0.0.1:9090 --out var/preview.html
"""

import argparse
import json
import math
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
COLOURS = ("#3b7dd8", "#d9730d", "#2f9e6e", "#c2385f", "#7a5cc4", "#8a6d1d", "#1d8a99", "#666666")
MOST_LINES = 16
POINTS = 120
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #f6f7f9 }
h1 { margin: 0 0 .2rem } h1 + p { margin: 0 0 1rem; color: #666 } h2 { margin: 1.6rem 0 .2rem } h3 { margin: 1rem 0 .4rem; color: #555 }
.row { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
.panel { background: #fff; border: 1px solid #dde; border-radius: 6px; padding: 8px; min-width: 0 }
.panel b { display: block } .panel small { color: #888; display: block; overflow-wrap: anywhere }
.value { font-size: 1.5rem } .empty { color: #b00020 } svg { width: 100%; height: 110px; display: block }
"""


class Line(NamedTuple):
    """One series: its name and its points (epoch seconds, value)."""

    name: str
    points: list[tuple[float, float]]


class Prometheus:
    """A Prometheus' HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def now(self) -> float:
        """Its clock, epoch seconds."""
        return float(self._get("query", query="time()")["result"][0])

    def instant(self, expr: str, at: float) -> list[Line]:
        """What an expression is at a moment."""
        found = self._get("query", query=expr, time=f"{at}")
        if found["resultType"] == "scalar":
            return [Line("", [(found["result"][0], float(found["result"][1]))])]
        return [Line(_name(item["metric"]), [_point(item["value"])]) for item in found["result"]]

    def span(self, expr: str, start: float, end: float) -> list[Line]:
        """What an expression was over a time."""
        step = max((end - start) / POINTS, 1.0)
        found = self._get("query_range", query=expr, start=f"{start}", end=f"{end}", step=f"{step}")
        return [Line(_name(item["metric"]), [_point(point) for point in item["values"]]) for item in found["result"]]

    def _get(self, path: str, **fields: str) -> Any:
        body = urllib.parse.urlencode(fields).encode()
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{path}", body, timeout=30) as answer:  # noqa: S310 - the caller's
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{fields.get('query')}: {error.read(300).decode('utf-8', 'replace')}") from None
        return {"resultType": "scalar", "result": data["result"][:1]} if fields.get("query") == "time()" else data


def _name(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "__name__")


def _point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def screens(folder: Path = HERE / "grafana") -> list[dict[str, Any]]:
    """The dashboards as they are written."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def filled(expr: str, interval: str, job: str = ".+") -> str:
    """An expression with Grafana's variables filled in."""
    return expr.replace("$job", job).replace("$__rate_interval", interval)


def panels(screen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, headings left out."""
    return (panel for panel in screen["panels"] if panel["type"] != "row")


def draw(prometheus: Prometheus, span: float, interval: str) -> str:
    """The page: every panel of every dashboard over the last `span` seconds."""
    now = prometheus.now()
    parts = [f"<!doctype html><meta charset=utf-8><title>Boomerang: preview</title><style>{STYLE}</style>"]
    parts.append("<h1>Boomerang</h1><p>A preview drawn from the dashboards' JSON. Not Grafana.</p>")
    for screen in screens():
        parts.append(f"<h2>{escape(screen['title'])}</h2><p>{escape(screen['description'])}</p>")
        opened = False
        for panel in screen["panels"]:
            if panel["type"] == "row":
                parts.append(("</div>" if opened else "") + f"<h3>{escape(panel['title'])}</h3><div class=row>")
                opened = True
                continue
            lines = [
                line
                for target in panel["targets"]
                for line in prometheus.span(filled(target["expr"], interval), now - span, now)
            ]
            parts.append(_panel(panel, lines))
        parts.append("</div>" if opened else "")
    return "\n".join(parts)


def _panel(panel: dict[str, Any], lines: list[Line]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    width = panel["gridPos"]["w"]
    known = [line for line in lines if any(math.isfinite(value) for _, value in line.points)]
    if not known:
        body = "<span class=empty>no data</span>"
    elif panel["type"] in ("stat", "bargauge"):
        body = "".join(
            f"<div><span class=value>{_number(line.points[-1][1], unit)}</span> <small>{escape(line.name)}</small></div>"
            for line in known[:MOST_LINES]
        )
    else:
        body = _chart(known[:MOST_LINES], unit)
    return (
        f'<div class=panel style="grid-column: span {width}"><b>{escape(panel["title"])}</b>'
        f"<small>{escape(panel['description'])}</small>{body}</div>"
    )


def _chart(lines: list[Line], unit: str) -> str:
    points = [point for line in lines for point in line.points if math.isfinite(point[1])]
    start, end = min(at for at, _ in points), max(at for at, _ in points)
    top = max((value for _, value in points), default=0.0) or 1.0
    drawn, names = [], []
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        places = " ".join(
            f"{(at - start) / ((end - start) or 1.0) * 400:.1f},{100 - value / top * 92:.1f}"
            for at, value in line.points
            if math.isfinite(value)
        )
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{places}"/>')
        last = next(value for _, value in reversed(line.points) if math.isfinite(value))
        names.append(f'<span style="color:{colour}">{escape(line.name) or "all"}: {_number(last, unit)}</span>')
    return (
        f'<svg viewBox="0 0 400 104" preserveAspectRatio="none">{"".join(drawn)}</svg>'
        f"<small>{' · '.join(names)} (top {_number(top, unit)})</small>"
    )


def _number(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.2%}"
    if unit == "s" and abs(value) < 1.0:
        return f"{value * 1000:.1f} ms"
    return f"{value:,.4g}" + {"s": " s", "bytes": " B", "eps": "/s", "reqps": "/s"}.get(unit, "")


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its address")
    parser.add_argument("--out", type=Path, default=Path("var/preview.html"), help="file to write")
    parser.add_argument("--minutes", type=float, default=30.0, help="how far back")
    parser.add_argument("--interval", default="1m", help="over which rates are taken: four scrape intervals or more")
    args = parser.parse_args()
    try:
        page = draw(Prometheus(args.prometheus), args.minutes * 60, args.interval)
    except (OSError, ValueError) as error:
        print(f"preview: Prometheus at {args.prometheus} does not answer as it should: {error}", file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(page)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
