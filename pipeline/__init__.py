"""The wiring of the steps: on this machine, in containers, on a cluster."""

from pipeline.kfp_patches import import_without_client

import_without_client()
