"""What Kubeflow's driver and launcher print, around a step's own log and when they end.

kubeflow/pipelines 2.17.0, backend/src/v2/: cmd/driver/main.go:126 (glog.Exitf, "KFP driver: …") and 333 (the inputs as
indented JSON), cmd/launcher-v2/main.go:55 (glog.Exit), component/launcher_v2.go:181 ("failed to execute component") and
449; driver/cache.go:149 ("failure while getting executionCache"). The head of a line is glog's. The step's shell says
`Killed`, and the launcher the shell's status, 128 and the signal.
"""

from __future__ import annotations

_AWAY = (
    "rpc error: code = Unavailable desc = connection error: desc = "
    '"transport: Error while dialing: dial tcp 10.96.4.5:8887: connect: connection refused"'
)
LAUNCHER_FAILED = "F1128 19:04:13.471120       1 main.go:55] failed to execute component: exit status 1"
LAUNCHER_KILLED = "F1128 19:04:13.471120       1 main.go:55] failed to execute component: exit status 137"
LAUNCHER_UNAVAILABLE = (
    f"F1128 19:04:13.471120       1 main.go:55] failed to execute component: failed to create task: {_AWAY}"
)
DRIVER_UNAVAILABLE = (
    "F1128 19:04:13.471120       1 main.go:127] KFP driver: driver.Container(pipelineName=deep-mnist, runID=r, task="
    f'"validate", component="comp-validate", dagExecutionID=12, componentSpec) failed: failure while getting '
    f"executionCache: {_AWAY}"
)
DRIVER_LOG = f"""I1128 19:04:12.000001       1 main.go:119] Setting log level to: '1'
I1128 19:04:12.000002       1 main.go:333] input ComponentSpec:{{
  "executorLabel": "exec-validate",
  "inputDefinitions": {{
    "artifacts": {{
      "dataset": {{}}
    }}
  }}
}}

I1128 19:04:12.000003       1 main.go:346] input ContainerSpec:{{
  "image": "registry.example/light:1"
}}

{DRIVER_UNAVAILABLE}
time="2026-11-28T19:04:13.500Z" level=info msg="sub-process exited" argo=true error="<nil>"
"""


def launcher_log(step: str, last: str) -> str:
    """Return the log of a step's pod: the launcher's lines, the step's own between them, the launcher's end."""
    return f"""time="2026-11-28T19:04:10.000Z" level=info msg="capturing logs" argo=true
I1128 19:04:10.100000       1 launcher_v2.go:206] Setting log level to: '1'
I1128 19:04:10.200000       1 launcher_v2.go:340] input ExecutorInput:{{
  "inputs": {{
    "parameterValues": {{
      "seed": 0
    }}
  }}
}}
[KFP Executor 2026-11-28 19:04:11,000 INFO]: Looking for component `train` in --component_module_path `/tmp/x.py`
{step.rstrip()}
E1128 19:04:13.400000       1 launcher_v2.go:449] Component failed to execute successfully: exit status 1
I1128 19:04:13.450000       1 launcher_v2.go:206] publish success.
{last}
time="2026-11-28T19:04:13.500Z" level=info msg="sub-process exited" argo=true error="<nil>"
"""
