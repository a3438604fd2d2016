"""The pages: the champion to draw for, its card, and what is sent against what was trained on."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from deep_mnist.html import page, template
from deep_mnist.serving.champion import ServedChampion
from deep_mnist.serving.refusal import RefusedRequestError
from deep_mnist.serving.served_model import ServedModel
from deep_mnist.serving.watch import ServingWatch

_TEMPLATES = Path(__file__).with_name("templates")
_DRAW = template(_TEMPLATES / "draw.html.j2")
_DRIFT = template(_TEMPLATES / "drift.html.j2")


def add_pages(app: FastAPI, champion: ServedChampion, watch: ServingWatch) -> None:
    """Add the routes of the pages."""

    @app.get("/")
    def draw() -> Response:
        return HTMLResponse(_DRAW.render(champion=_loaded(champion).facts()))

    @app.get("/card")
    def card() -> Response:
        text = _loaded(champion).card or "This version has no model card.\n"
        return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")

    @app.get("/drift")
    def drift() -> Response:
        body = _DRIFT.render(champion=_loaded(champion).facts(), report=watch.report(), counts=watch.warning_counts())
        return HTMLResponse(page("What is sent, against what was trained on", body))

    @app.get("/drift.json")
    def drift_report() -> Response:
        return JSONResponse({"model": _loaded(champion).facts(), "report": watch.report()})

    @app.get("/champion.json")
    def facts() -> Response:
        return JSONResponse(_loaded(champion).facts())


def _loaded(champion: ServedChampion) -> ServedModel:
    if champion.model is None:
        raise RefusedRequestError(503, "request", "a champion", "none so far", "publish one: make run")
    return champion.model
