"""How a pod of a run ended, in the words that Argo and the pod's log have for it, without Kubeflow's frame around.

A step that fails says why in one line of its log (`failure.MARK`) and in Kubernetes' termination message. Argo adds
that message to the node's: `main: Error (exit code 1): DEEP-MNIST-STEP-FAILED …`. Where a container wrote none,
Kubernetes can take the end of its log (`terminationMessagePolicy: FallbackToLogsOnError`, which the manifests'
components/workflow-defaults sets), so that the last words of Kubeflow's own driver and launcher are there, too. The
same file decides by these words which ends are repeated: those that were nobody's fault but the platform's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TERMINATION_LOG = "/dev/termination-log"  # Kubernetes' default, there in every container and writable for every user
TOLD_CHARACTERS = 1000  # of a step's own words in the message; Kubernetes takes 4096 bytes, Argo keeps them for good
# With what a step begins there: it would fail again, or the fault was not its own and it should be repeated.
STEP_FAILED, STEP_LOST = "DEEP-MNIST-STEP-FAILED", "DEEP-MNIST-STEP-LOST"

_CONTAINER_END = re.compile(r"\A(\w[\w-]*: \w+ \(exit code \d+\))(?:: (.*))?\Z", re.DOTALL)
_TOLD = re.compile(rf"\A(?:{STEP_FAILED}|{STEP_LOST}) ")
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z ")  # a collector's, before each line
# glog's head, as Kubeflow's driver and launcher (Go) print it: level, month and day, time, thread, file and line.
_GLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.-]+\.go:\d+\] ")
_ARGO = re.compile(r'^(?:time=\S+ level=\w+ msg=|\{"(?:argo|level|time)":)')
_EXECUTOR = re.compile(r"^\[KFP Executor \d{4}-\d\d-\d\d ")


class PodEnd(NamedTuple):
    """What a node's message says: how its pod ended, and the words of who ended it; either may be ""."""

    how: str
    words: str


def pod_end(message: str) -> PodEnd:
    """Take a node's message apart.

    >>> pod_end("main: Error (exit code 1): DEEP-MNIST-STEP-FAILED UnfitDataError: images.range").words
    'UnfitDataError: images.range'
    >>> pod_end("pod deleted")
    PodEnd(how='pod deleted', words='')
    """
    found = _CONTAINER_END.match(message.strip())
    if not found:
        return PodEnd(message.strip(), "")
    words = found[2] or ""
    return PodEnd(found[1], _TOLD.sub("", words) if _TOLD.match(words) else last_words(words) or "\n".join(own(words)))


def own(log: str) -> list[str]:
    """Return the lines of a pod's log that are neither Kubeflow's nor Argo's, without a collector's time."""
    return [line for line in _unframed(log) if line.strip()]


def last_words(log: str) -> str:
    """Return with what Kubeflow's driver or launcher ended, "" when it says nothing.

    >>> last_words("I1128 19:04:12.000001 1 main.go:9] x\\nF1128 19:04:13.000002       1 main.go:127] KFP driver: no")
    'KFP driver: no'
    """
    said = ""
    for line in log.splitlines():
        line = _TIME.sub("", line)
        head = _GLOG.match(line)
        if head and head[1] == "F":
            said = line[head.end() :].strip()
    return said


def _unframed(log: str) -> Iterator[str]:
    """Yield the lines outside of the frames; a frame that prints JSON goes on to the brace that closes it."""
    inside = False
    for line in log.splitlines():
        line = _TIME.sub("", line)
        if _GLOG.match(line):
            inside = line.rstrip().endswith(("{", "["))
        elif inside:
            inside = line.rstrip() not in ("}", "]")
        elif not (_ARGO.match(line) or _EXECUTOR.match(line)):
            yield line.rstrip()
