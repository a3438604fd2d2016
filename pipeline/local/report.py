"""The run's one self-contained page: verdict, curves, evaluation, promotion, each as its step drew it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deep_mnist.html import main_of, page, template
from pipeline.local.process import Run
from pipeline.local.run_outcome import RunOutcome, log_lines
from pipeline.states import RunStatus, TaskState

# (section, task, artifact): artifacts are HTML pages made with deep_mnist.html, or Markdown.
SECTIONS = (
    ("The data", "validate", "report"),
    ("The labels", "inspect", "summary"),
    ("The rehearsal", "rehearse", "report"),
    ("Training", "train", "curves"),
    ("Trials", "select", "table"),
    ("Evaluation", "evaluate", "report"),
    ("Model card", "publish", "card"),
)
LOG_LINES = 60

_BODY = template(Path(__file__).with_name("report.html.j2"))

_TONES = {
    TaskState.DONE: "good",
    TaskState.CACHED: "soft",
    TaskState.FAILED: "bad",
    TaskState.STOPPED: "warn",
    TaskState.WAITING: "soft",
    TaskState.RUNNING: "soft",
}
SHOWN_ARGUMENTS = ("dataset", "network", "model", "epochs", "seed", "registry", "model_name")


def write_report(run: Run, outcome: RunOutcome, path: Path) -> None:
    """Write the page to `path`; parts whose step did not run are left out."""
    import markupsafe

    # Of a sweep the trials' table is shown, not the curves of the trial that happened to end last.
    shown = [each for each in SECTIONS if each[1] in run.tasks and not (each[1] == "train" and "select" in run.tasks)]
    sections = [(title, markupsafe.Markup(_content(run, task, name))) for title, task, name in shown]
    body = _BODY.render(
        run=run,
        outcome=outcome,
        headline=[(k, f"{v:.4f}" if k in ("accuracy", "champion") else v) for k, v in _headline(outcome)],
        arguments=[
            (name, run.arguments[name]) for name in SHOWN_ARGUMENTS if run.arguments.get(name) not in ("", 0, None)
        ],
        tasks=list(run.tasks.values()),
        tones=_TONES,
        tone={RunStatus.PUBLISHED: "good", RunStatus.NOT_PROMOTED: "warn"}.get(outcome.status, "bad"),
        sections=[(title, content) for title, content in sections if content],
        log="" if _explains_itself(outcome) else "\n".join(log_lines(run)[-LOG_LINES:]),
    )
    path.write_text(page(f"Deep MNIST {run.folder.name}: {outcome.status}", body))


def _explains_itself(outcome: RunOutcome) -> bool:
    """True when the log has nothing to add: the run ended well, or its error says what was expected and the fix."""
    return not outcome.exit_status or bool(outcome.details.get("error", {}).get("foreseen"))


def _headline(outcome: RunOutcome) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in outcome.fields.items() if name not in ("report", "reason")]


def _content(run: Run, task: str, artifact: str) -> str:
    path = run.tasks[task].artifact(artifact) if task in run.tasks else None
    if path is None:
        return ""
    text = path.read_text(errors="replace")
    content = main_of(text) if "<main>" in text else _of_markdown(text)
    content = re.sub(r"<h1\b.*?</h1>", "", content, count=1, flags=re.DOTALL)  # the section has its own title
    return re.sub(r"(</?)h([1-5])\b", lambda found: f"{found[1]}h{int(found[2]) + 1}", content)


def _of_markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
