"""What several modules here share."""

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, a_cluster
from tests.servers import Postgres


@pytest.fixture(scope="session")
def quiet_cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Cluster]:
    """Servers of which none is ended or frozen, and a writer; take event types of your own."""
    with a_cluster(tmp_path_factory.mktemp("cluster"), postgres) as running:
        running.writer().start()
        yield running
