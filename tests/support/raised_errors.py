"""Every exception class of the tree, with the step it is raised in and the code that raises it there."""

from __future__ import annotations

FINDING = (
    "{'rule': 'I024', 'field': 'images.dtype', 'split': 'train', 'severity': 'error', "
    "'expected': 'float32', 'received': 'uint8', "
    "'fix': 'x = x / 255'}"
)
# Class name -> (step, what makes real code of that step raise it). Where that takes a race or another process's
# doing, the error itself is raised, in the words of the code.
RAISED: dict[str, tuple[str, str]] = {
    "ArrayFileError": (
        "download",
        "from deep_mnist.data.arrays import open_array\nfrom pathlib import Path\nopen_array(Path('none.npy'))",
    ),
    "ImageDecodeError": (
        "download",
        "from deep_mnist.data.raw import ImageDecodeError\n"
        "raise ImageDecodeError('Expected a whole PNG. Received: a truncated one. Fix: Copy it again.')",
    ),
    "ImageSourceError": (
        "download",
        "from deep_mnist.data.raw import ImageSourceError\n"
        "raise ImageSourceError('images of one size', '28x28 and 32x32', 'Resize them.')",
    ),
    "MissingPackageError": (
        "download",
        "from deep_mnist.data.raw import MissingPackageError\n"
        "raise MissingPackageError('Expected a reader. Received: none. Fix: pip install it')",
    ),
    "ObjectArrayError": (
        "download",
        "import numpy as np\nfrom pathlib import Path\nfrom deep_mnist.data.arrays import open_array\n"
        "np.save('o.npy', np.array([{}], dtype=object), allow_pickle=True)\nopen_array(Path('o.npy'))",
    ),
    "DatasetError": (
        "preprocess",
        "from pathlib import Path\nfrom deep_mnist.data.dataset import open_dataset\n"
        "open_dataset(Path('.'), written_by='download')",
    ),
    "UnsafePickleError": (
        "download",
        "import io, os, pickle\nfrom deep_mnist.data.digits_pickle import ArrayUnpickler\n"
        "ArrayUnpickler(io.BytesIO(pickle.dumps(os.getcwd))).load()",
    ),
    "DownloadError": (
        "download",
        "from pathlib import Path\nfrom components.download.download import download_dataset\n"
        "download_dataset('mnits', Path('out'))",
    ),
    "TransferError": (
        "download",
        "from pathlib import Path\nfrom deep_mnist.data.transfer import fetch_https\n"
        "fetch_https('http://example.test/a.npz', Path('a'), partial=Path('b'))",
    ),
    "SourceUnreachableError": (
        "download",
        "from pathlib import Path\nfrom deep_mnist.data.transfer import fetch_https\n"
        "fetch_https('http://127.0.0.1:9/a.npz', Path('a'), partial=Path('b'))",
    ),
    "TransferInterruptedError": (
        "download",
        "from deep_mnist.data.transfer import TransferInterruptedError\n"
        "raise TransferInterruptedError('HTTP 503 from http://127.0.0.1')",
    ),
    "ContractError": (
        "validate",
        "from pathlib import Path\nfrom deep_mnist.contract.load import load_contract\nload_contract(Path('a.txt'))",
    ),
    "GraphError": (
        "validate",
        "from deep_mnist.contract.keras_graph import read_graph\n"
        "read_graph({'class_name': 'Mine', 'config': {'layers': []}})",
    ),
    "NotUsableError": (
        "validate",
        "from pathlib import Path\nfrom deep_mnist.doctor.case import read_splits\nPath('empty').mkdir()\n"
        "read_splits(Path('empty'))",
    ),
    "UnfitError": (
        "validate",
        "import numpy as np\nfrom deep_mnist.doctor.checks.catalogue import rule_named\n"
        "from deep_mnist.doctor.diagnosis import Diagnosis, UnfitError\n"
        "from deep_mnist.contract.load import resolve_contract\nimport inspect\n"
        "finding = rule_named('I103').found('train', expected='0..1', received='0..255', fix='x = x / 255')\n"
        "given = {'findings': [finding], 'seconds': 0.1}\n"
        "names = [n for n, p in inspect.signature(Diagnosis).parameters.items() if p.default is p.empty]\n"
        "raise UnfitError(Diagnosis(**{n: given.get(n) for n in names}))",
    ),
    "RuleError": (
        "validate",
        "from pathlib import Path\nfrom deep_mnist.doctor.checks.catalogue import add\nadd(Path('none.py'))",
    ),
    "UnfitVerdictError": (
        "require_valid",
        f"from components.verdict import UnfitVerdictError\nraise UnfitVerdictError([{FINDING}])",
    ),
    "UnfitNetworkError": (
        "require_rehearsed",
        "from components.verdict import UnfitNetworkError, require_fit\n"
        f"require_fit([{FINDING}], 'unfit', UnfitNetworkError)",
    ),
    "AlteredModelError": (
        "rehearse",
        "from components.rehearse.rehearse import AlteredModelError\n"
        "raise AlteredModelError('Expected m.keras with SHA-256 a. Received: b. Fix: Run it again.')",
    ),
    "OwnClassError": (
        "validate",
        "from deep_mnist.contract.keras_graph import OwnClassError\n"
        "raise OwnClassError('Expected a Sequential or Functional model. Received: Mine, a class of its own.')",
    ),
    "InvalidDataError": (
        "require_valid",
        f"from components.verdict import require_fit\nrequire_fit([{FINDING}], 'unfit')",
    ),
    "UnusableModelError": (
        "train",
        "from pathlib import Path\nfrom components.train.own_model import load_own_model\n"
        "Path('m.keras').write_text('no zip')\nload_own_model('m.keras', '', None)",
    ),
    "NoUsableGPUError": (
        "train",
        "from components.train.device import find_device\nfind_device(require_gpu=True)",
    ),
    "RefusedCheckpointError": ("train", "from components.train.checkpoint import decode\ndecode(b'x' * 100, {})"),
    "TrainingInterruptedError": (
        "train",
        "from components.train.checkpoint import TrainingInterruptedError\nraise TrainingInterruptedError(143)",
    ),
    "UnhealthyTrainingError": (
        "train",
        "from deep_mnist.doctor.rehearsal.rules import LOST\n"
        "from deep_mnist.doctor.rehearsal.watchdog import UnhealthyTrainingError\n"
        "finding = LOST.found(expected='a finite loss', received='nan', fix='a smaller rate')\n"
        "raise UnhealthyTrainingError([finding], 3)",
    ),
    "ServingError": (
        "evaluate",
        "from pathlib import Path\nfrom deep_mnist.export import read_record\nread_record(Path('.'))",
    ),
    "RegistryError": (
        "publish",
        "from deep_mnist.registry.registry import Registry\nRegistry('registry', 'no/name')",
    ),
    "SignatureError": (
        "publish",
        "from deep_mnist.registry.signing import Trust\nTrust.of('no-key.pem')",
    ),
    "ModelRegistryError": (
        "publish",
        "from deep_mnist.registry.model_registry import ModelRegistryError\n"
        "raise ModelRegistryError('Expected http://host:port of a Model Registry. Received: x.')",
    ),
    "IncomparableTrialsError": (
        "select",
        "from components.select.select import IncomparableTrialsError\n"
        "raise IncomparableTrialsError('Expected at least one trial. Received: none. Fix: name seeds and networks')",
    ),
    "LostRaceError": (
        "publish",
        "from deep_mnist.registry.registry import LostRaceError\n"
        "raise LostRaceError('Expected version 1 of mnist to be the champion still. Received: version 2 is')",
    ),
    "NotPromotedError": (
        "publish",
        "from components.publish.publish import NotPromotedError\n"
        "raise NotPromotedError('Expected the model to be promoted. Received: floor: 0.95 required, 0.5 reached')",
    ),
    "StaleEvaluationError": (
        "publish",
        "from components.publish.publish import StaleEvaluationError\n"
        "raise StaleEvaluationError('Expected model_digest a, as evaluated. Received: b. Fix: Rerun evaluate.')",
    ),
    "ReplayError": (
        "publish",
        "from components.publish.replay import ReplayError\n"
        "raise ReplayError('Expected a replay within 600 s. Received: none.')",
    ),
    "RequestError": (
        "publish",
        "from deep_mnist.serving.requests.v1 import read_v1\nread_v1(b'[1]')",
    ),
    "UnsuitableInputError": (
        "publish",
        "from deep_mnist.serving.model.served_model import UnsuitableInputError\n"
        "raise UnsuitableInputError((1, 2, 2), 'Computed output size would be negative')",
    ),
    "BrokenVersionError": (
        "publish",
        "from deep_mnist.serving.model.served_model import BrokenVersionError\n"
        "raise BrokenVersionError('Expected version 2 of mnist to load. Received: OSError: no file.')",
    ),
    "StorageError": ("publish", "from deep_mnist.storage.open import open_store\nopen_store('ftp://host/a')"),
    "NotFoundError": ("publish", "from deep_mnist.storage.open import open_store\nopen_store('store').read('key')"),
    "PreconditionFailedError": (
        "publish",
        "from deep_mnist.storage.open import open_store\nfrom deep_mnist.storage.store import ABSENT\n"
        "store = open_store('store')\nstore.write('key', b'1', if_generation=ABSENT)\n"
        "store.write('key', b'2', if_generation=ABSENT)",
    ),
    "OvertakenError": (
        "publish",
        "from deep_mnist.storage.store import OvertakenError\n"
        "raise OvertakenError('Expected gs://b/k in the state that was read. Received: another')",
    ),
    "CorruptTransferError": (
        "publish",
        "from deep_mnist.storage.bucket import CorruptTransferError\n"
        "raise CorruptTransferError('Expected CRC32C a at gs://b/k. Received: b')",
    ),
    "StoreUnreachableError": (
        "publish",
        "import os\nos.environ['STORAGE_EMULATOR_HOST'] = 'http://127.0.0.1:9'\n"
        "from deep_mnist.storage.open import open_store\nopen_store('gs://bucket', patience=0.1, timeout=1).read('k')",
    ),
    "ClusterError": ("publish", "from pipeline.cluster.connection import _checked_host\n_checked_host(None)"),
    "ClusterUnreachableError": (
        "publish",
        "from pipeline.cluster.connection import ClusterUnreachableError\n"
        "raise ClusterUnreachableError('Expected JSON from http://host. Received: a page.')",
    ),
    "CronError": ("publish", "from pipeline.cluster.cron import parse_cron\nparse_cron('every day')"),
    "ContainersError": (
        "publish",
        "from pathlib import Path\nfrom pipeline.containers.step import mounts_of\nmounts_of([(Path('/none'), True)])",
    ),
    "EngineMissingError": (
        "publish",
        "import os\nos.environ['DOCKER_HOST'] = 'tcp://127.0.0.1:9'\n"
        "from pipeline.containers.engine import engine_ready\nengine_ready()",
    ),
    "UsageError": ("publish", "from pipeline.local.process import refuse_python3\nrefuse_python3('/python3', 'RUNS')"),
    "UntestedKfpError": (
        "publish",
        "import kfp\nkfp.__version__ = '0.1'\nfrom pipeline.kfp_patches import require_tested_kfp\n"
        "require_tested_kfp()",
    ),
}

RAISED |= {
    "DamagedShardError": (
        "train",
        "import numpy as np\nfrom deep_mnist.data.shards.reading import read_shard\n"
        "from deep_mnist.data.shards.shard_set import Shard\nfrom deep_mnist.storage.open import open_store\n"
        "read_shard(open_store('.'), Shard('train-00000.npy', 1, 1, 'ab', {}), np.dtype('u1'))",
    ),
    "NodesFailedError": (
        "train",
        "from components.train.launch.here import NodesFailedError\n"
        "raise NodesFailedError('Expected 2 nodes to train together. Received: 10 attempts in which one died')",
    ),
    "KubernetesError": (
        "train",
        "from pathlib import Path\nfrom deep_mnist.kubernetes_api import KubernetesApi\n"
        "[Path(name).write_text('x') for name in ('token', 'namespace')]\n"
        "KubernetesApi('http://127.0.0.1:9', Path('.')).text('GET', '/api')",
    ),
    "TrainerMissingError": (
        "train",
        "from components.train.launch.on_cluster import NOT_INSTALLED, TrainerMissingError\n"
        "raise TrainerMissingError(NOT_INSTALLED)",
    ),
    "DecisionsError": (
        "preprocess",
        "from pathlib import Path\nfrom deep_mnist.labels.decisions import read_decisions\n"
        "Path('labels.yaml').write_text('decisions: 3')\nread_decisions(Path('labels.yaml'))",
    ),
    "FoldsError": (
        "inspect",
        "import numpy as np\nfrom deep_mnist.labels.folds import fold_of\nfold_of(np.zeros(3, int), np.arange(3))",
    ),
    "UnclonableModelError": (
        "inspect",
        "from deep_mnist.labels.keras_folds import UnclonableModelError\n"
        "raise UnclonableModelError('Expected a compiled model. Received: mine, not compiled. Fix: Compile it.')",
    ),
    "PredictionError": (
        "inspect",
        "from deep_mnist.labels.predict import PredictionError\n"
        "raise PredictionError('Expected predictions of fast. Received: its training failed.')",
    ),
}

# Caught within: what a rule tries on a copy, and gives up, or a node's end, which its launcher sees. No user sees them.
CAUGHT_WITHIN = {
    "MetricsError", "NoPlainFormError", "NodeLostError", "NotANumberError", "NotCopiedError", "SpentError",
    "StepFailedError", "_UnreadError",
}  # fmt: skip
