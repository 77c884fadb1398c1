"""A box as it was built some time ago, on every node: what an update starts from."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.subject.image import image_build


@contextmanager
def older_box(
    engine: EngineInfo, cluster: ClusterInfo, client: Any, image: ImageInfo, change: str
) -> Iterator[ImageInfo]:
    """Give ``image`` with the Dockerfile lines ``change`` on top, loaded into every node; removed after.

    ``client`` is a docker client. Raises EnvironmentFault, SubjectFault if the lines do not build.
    """
    made = image_build.variant(engine, image, change, f"older-{secrets.token_hex(3)}")
    try:
        load.load(engine, cluster, [made.reference])
        yield made
    finally:
        load.remove(engine, cluster, [made.reference])
        client.images.remove(made.reference, force=True)
