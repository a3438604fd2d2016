"""The images that `make images` built: what they hold, what they do not, what they say of themselves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess

import pytest

import docker
from components.images import COMPONENTS, code_digest
from deep_mnist.serving.replay import main as replay
from pipeline.containers.build import TARGETS, push_images
from pipeline.containers.built import BUILD, ROOT, image_reference
from tests.support.digits import write_raw_folder
from tests.support.ports import free_port
from tests.support.runs import run_pipeline
from tests.support.serving import wait_for

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_what_it_is(engine, images, target):
    """Each image names its version, commit and base, and runs as a numbered user without an entrypoint."""
    config = engine.images.get(images[target]).attrs["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}

    assert (config["User"], config["Entrypoint"]) == ("1000:1000", None)
    assert labels["version"] == images[target].rpartition(":")[2]
    assert labels["licenses"] == "Apache-2.0"
    assert {"title", "revision", "base.name", "ref.name"} <= set(labels)


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_holds_the_code_that_it_is_built_from(engine, component):
    """A component's code has the same digest in its image and in the tree, so a model names the code it came from."""
    ask = ["python3", "-c", f"from components.images import code_digest; print(code_digest({component!r}))"]

    assert engine.containers.run(image_reference(component), ask, remove=True).decode().strip() == code_digest(
        component
    )


@pytest.mark.parametrize(
    ("target", "megabytes", "found"),
    [
        ("light", 220, ["kfp", "h5py"]),
        ("data", 320, ["kfp", "h5py", "botocore", "arro3.core", "pip"]),
        ("tensorflow", 1275, ["kfp", "h5py", "botocore", "tensorflow", "keras", "scipy"]),
        ("train-cpu", 1160, ["kfp", "h5py", "botocore", "tensorflow", "keras"]),
        ("serving", 250, ["botocore"]),
    ],
)
def test_an_image_holds_what_its_steps_use_and_no_more(engine, images, target, megabytes, found):
    """Sizes as the engine gives them; of the heavy packages each image has its own, and nothing that installs."""
    heavy = "kfp h5py botocore arro3.core pip setuptools tensorflow keras scipy grpc clang".split()
    find = f"""
import importlib.util
for name in {heavy}:
    if importlib.util.find_spec(name.partition(".")[0]):
        print(name)
"""
    said = engine.containers.run(images[target], ["python3", "-c", find], remove=True).decode().split()

    assert engine.images.get(images[target]).attrs["Size"] <= megabytes * 1_000_000
    assert said == found


@pytest.mark.parametrize("target", TARGETS)
def test_a_slimmed_image_imports_what_it_runs(engine, images, target):
    """Every module of every component in the image can be imported, and TensorFlow computes where it is."""
    code = """
import importlib, pathlib, sys
for folder in ("components", "deep_mnist"):
    for path in sorted(pathlib.Path(folder).glob("**/*.py")):
        served = "serving" in path.parts
        if path.name in ("component.py", "__main__.py") or served is not (sys.argv[1] == "serving"):
            continue
        try:
            importlib.import_module(".".join(path.with_suffix("").parts))
        except ModuleNotFoundError as error:  # what runs a network is not for every image, nor a notebook for any
            of_networks = error.name in ("tensorflow", "keras", "scipy") and sys.argv[1] != "tensorflow"
            assert of_networks or error.name == "IPython", (path, error)
from PIL import Image, JpegImagePlugin, PngImagePlugin, GifImagePlugin, BmpImagePlugin
import io
for kind in ("PNG", "JPEG", "GIF", "BMP"):
    stream = io.BytesIO()
    Image.new("L", (28, 28), 7).save(stream, kind)
    assert abs(Image.open(stream, formats=[kind]).convert("L").getpixel((3, 3)) - 7) < 4
if sys.argv[1] in ("tensorflow", "train-cpu"):
    import keras
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    model.compile(loss="mse", jit_compile=True)
    import numpy as np
    assert np.isfinite(model.train_on_batch(np.ones((4, 8, 8, 1)), np.ones((4, 2))))
print("imported")
"""
    ask = ["python3", "-c", code, target]
    assert engine.containers.run(images[target], ask, remove=True).decode().splitlines()[-1] == "imported"


def test_the_server_without_tensorflow_predicts_as_the_champion(engine, images, tmp_path):
    """The serving image, its root read-only, serves a mounted registry's ONNX form; the golden requests agree."""
    ended = run_pipeline(tmp_path, "--dataset", write_raw_folder(tmp_path / "digits"), "--epochs", 3, "--forms", "onnx")
    assert ended.status == 0, ended.lines
    port, registry = free_port(), {str(tmp_path / "registry"): {"bind": "/registry", "mode": "ro"}}
    command = ["python3", "-m", "deep_mnist.serving", "/registry", "--model-name", "digits", "--engine", "onnx"]
    served = engine.containers.run(
        images["serving"],
        [*command, "--host", "0.0.0.0"],
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        ports={"8080/tcp": ("127.0.0.1", port)},
        volumes=registry,
        user=f"{os.getuid()}:{os.getgid()}",
    )
    try:
        wait_for(lambda: b"http://" in served.logs())
        store = str(tmp_path / "registry")
        assert replay([store, f"http://127.0.0.1:{port}", "--model-name", "digits"]) == 0
    finally:
        served.remove(force=True)


def test_the_servers_root_holds_python_and_no_shell(engine, images):
    """The serving image has nothing that installs or starts programs; it has TLS certificates and a writable /tmp."""
    code = """
import os, pathlib, shutil, socket, ssl, tempfile
print([name for name in ("sh", "bash", "apt-get", "dpkg", "perl", "pip", "openssl") if shutil.which(name)])
print(sorted(path.name for path in pathlib.Path("/usr/bin").iterdir() if "python" not in path.name))
print(len(ssl.create_default_context().get_ca_certs()) > 50, socket.gethostbyname("localhost"), tempfile.mkdtemp()[:5])
"""
    said = engine.containers.run(images["serving"], ["python3", "-c", code], remove=True).decode().splitlines()

    assert said == ["[]", "[]", "True 127.0.0.1 /tmp/"]


def test_sboms_lie_beside_the_images(images):
    """Each image's SBOM names the packages of its lock, and TensorFlow only where it is."""
    built = json.loads((BUILD / "images.json").read_text())["images"]
    for target in images:
        document = json.loads((ROOT / built[target]["sbom"]).read_text())
        names = {each["name"] for each in document["components"]}
        assert {"numpy", "onnxruntime" if target == "serving" else "kfp", "libc6"} <= names
        assert ("tensorflow-cpu" in names) is (target in ("tensorflow", "train-cpu"))


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs Debian's docker-registry")
def test_images_are_pushed_under_their_own_tag(images, tmp_path):
    """A pushed image can be pulled from the registry by the digest that was printed."""
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    server = subprocess.Popen(["docker-registry", "serve", tmp_path / "config.yml"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0)
        pushed = push_images([images["light"]], f"{address}/deep-mnist")
        name = f"{address}/{images['light']}"
        assert list(pushed) == [name]
        client = docker.from_env()
        client.images.remove(name)
        pulled = client.images.pull(f"{name.rpartition(':')[0]}@{pushed[name]}")
        assert pulled.id == client.images.get(images["light"]).id
    finally:
        server.terminate()
        server.wait()
