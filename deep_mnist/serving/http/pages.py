"""The pages: the champion to draw for, its card, and what is sent against what was trained on.

A page loads nothing but this server's own files, and its Content-Security-Policy lets it load nothing else.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response

from deep_mnist.html import STYLE, template
from deep_mnist.serving.http.predictions import loaded_model
from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.monitoring.metrics import ServingMetrics
from deep_mnist.serving.requests.error_response import RequestError

_TEMPLATES = Path(__file__).with_name("templates")
_DRAW, _DRIFT, _CARD = (template(_TEMPLATES / f"{name}.html.j2") for name in ("draw", "drift", "card"))

_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in (*sorted(Path(__file__).with_name("static").iterdir()), STYLE)}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # what lies in a cache may be of an earlier release
}


def add_pages(app: FastAPI, champion: ServedChampion, metrics: ServingMetrics) -> None:
    """Add the routes of the pages."""

    @app.get("/")
    def draw() -> Response:
        return HTMLResponse(_DRAW.render(champion=loaded_model(champion).facts(), here="draw"), headers=HEADERS)

    @app.get("/card")
    def card(request: Request) -> Response:
        model = loaded_model(champion)
        text, headers = model.card or "This version has no model card.\n", {**HEADERS, "vary": "accept"}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_CARD.render(card=_of_markdown(text), model=model, here="card"), headers=headers)
        return PlainTextResponse(text, media_type="text/markdown; charset=utf-8", headers=headers)

    @app.get("/drift")
    def drift() -> Response:
        facts, counts = loaded_model(champion).facts(), metrics.warning_counts()
        body = _DRIFT.render(champion=facts, report=metrics.report(), counts=counts, here="drift")
        return HTMLResponse(body, headers=HEADERS)

    @app.get("/drift.json")
    def drift_report() -> Response:
        return JSONResponse({"model": loaded_model(champion).facts(), "report": metrics.report()})

    @app.get("/champion.json")
    def facts() -> Response:
        return JSONResponse(loaded_model(champion).facts(), headers={"cache-control": "no-store"})

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _FILES:
            raise RequestError(404, "request", f"one of {sorted(_FILES)}", name[:80], "reload the page")
        path = _FILES[name]
        return FileResponse(path, media_type=_KINDS[path.suffix], headers=HEADERS)


def _of_markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return rendered
