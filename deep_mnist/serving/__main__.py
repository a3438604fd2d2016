"""python -m deep_mnist.serving STORE: the registry's champion behind the V1 and V2 protocols, and a page to draw on.

    python -m deep_mnist.serving ./registry
    python -m deep_mnist.serving gs://bucket/registry --model-name mnist --host 0.0.0.0 --port 8501
    curl -d '{"instances": [[[0, …], …]]}' http://127.0.0.1:8080/v1/models/mnist:predict

Exit status: 0 stopped, 2 not usable (bad usage, no champion, a port that is taken).
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path

from deep_mnist.registry.names import USUAL, only_name
from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import add_trust_options, trust_of
from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.model.champion import POLL_SECONDS, ServedChampion, default_cache
from deep_mnist.serving.model.onnx_engine import onnx_engine
from deep_mnist.serving.model.served_model import BrokenVersionError
from deep_mnist.serving.model.tensorflow_engine import tensorflow_engine
from deep_mnist.storage.store import StorageError

ENGINES = {"tensorflow": tensorflow_engine, "onnx": onnx_engine}
PATIENCE_SECONDS = 20.0  # with a store that does not respond; it is asked again at the next look


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        limits = ServingLimits(**{each.name: getattr(options, each.name) for each in fields(ServingLimits)})
        trust = trust_of(options)
        trust.require_package()
        name = only_name(options.store, options.model_name, USUAL)
        registry = Registry(options.store, name, trust=trust, patience=PATIENCE_SECONDS)
        champion = ServedChampion(registry, options.cache, options.poll_seconds, engine=ENGINES[options.engine])
        champion.load_first()
    except (ValueError, StorageError, RegistryError, BrokenVersionError, ImportError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2
    from threadpoolctl import threadpool_limits

    from deep_mnist.serving.http.server import make_server

    # Its products are small: more threads of BLAS only wait for one another, on cores that TensorFlow could use.
    threadpool_limits(1, "blas")
    server = make_server(champion, limits, options.host, options.port, access_log=options.access_log)
    try:
        server.run()
    except SystemExit:  # uvicorn's, once it has said what it cannot listen on
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.serving", description="Serve a registry's champion.", epilog=_LIMITS_EPILOG
    )
    parser.add_argument("store", help="the registry: a folder, gs://bucket/prefix or s3://bucket/prefix")
    parser.add_argument("--model-name", default="", help="name in the registry (mnist, else the only one)")
    parser.add_argument(
        "--engine", choices=ENGINES, default="tensorflow", help="what predicts (%(default)s); onnx needs no TensorFlow"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="folder for downloaded versions (%(default)s)"
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=POLL_SECONDS, help="between looks at the pointer (%(default)s)"
    )
    parser.add_argument("--access-log", action="store_true", help="a line of JSON on stdout for each request")
    add_trust_options(parser)
    limits = ServingLimits()
    for each in fields(ServingLimits):
        value = getattr(limits, each.name)
        flag = "--" + each.name.replace("_", "-")
        parser.add_argument(flag, type=type(value), default=value, help=f"{_LIMITS[each.name]} (%(default)s)")
    return parser


_LIMITS = {
    "body_bytes": "bytes of a request's body",
    "concurrent": "requests at work at once; one more gets 503",
    "connections": "connections open at once",
    "seconds": "seconds for predictions; then 504",
    "body_seconds": "seconds for a body to arrive; then 408",
    "head_seconds": "seconds for a request's head to arrive",
    "workers": "threads that read bodies and predict",
    "examples": "examples in one request",
    "batch_rows": "examples of waiting requests that are predicted together, at most",
    "batch_seconds": "that the first of them waits for others; 0 takes those that wait already",
}
_LIMITS_EPILOG = "Nothing here asks who is calling: keep it on loopback, or behind what does."


if __name__ == "__main__":
    sys.exit(main())
