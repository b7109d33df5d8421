"""The test cluster as fixtures: one for the whole run, put in order again after each test that used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from . import packages
from .counted import arrays
from .runs import ClusterWorkspace, cluster_workspace
from .slurm import Slurm
from .sshd import Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FIXTURES = {"cluster_packages", "sshd", "slurm", "cluster"}


class Cluster(NamedTuple):
    """A login node and what it submits to."""

    sshd: Sshd
    slurm: Slurm


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known where pytest-xdist, whose mark it is, is not installed."""
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker runs, with --dist loadgroup")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the cluster, and keep them on one worker so that one cluster serves them all.

    They come first, for they take the longest, one after another.
    """
    for item in items:
        if isinstance(item, pytest.Function) and _FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.xdist_group("cluster"))
    items.sort(key=lambda item: item.get_closest_marker("cluster") is None)


@pytest.fixture(scope="session")
def cluster_packages() -> None:
    """Have the Debian packages, or fail: these tests are never skipped."""
    try:
        packages.install()
    except packages.PackagesError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def sshd(cluster_packages: None) -> Iterator[Sshd]:
    """Start an sshd with one noisy account."""
    with Sshd() as server:
        yield server


@pytest.fixture(scope="session")
def slurm(sshd: Sshd) -> Iterator[Slurm]:
    """Start a SLURM of three nodes with four CPUs each, that the account of `sshd` can use."""
    with Slurm() as server:
        sshd.set_env(server.env)
        yield server


@pytest.fixture(scope="session")
def cluster(sshd: Sshd, slurm: Slurm) -> Cluster:
    """Give both."""
    return Cluster(sshd, slurm)


@pytest.fixture
def workspace(tmp_path: Path, sshd: Sshd, request: pytest.FixtureRequest) -> Iterator[ClusterWorkspace]:
    """Give a user's folder whose swarms run on the host; SLURM runs them where the test has the mark `slurm`."""
    slurm = request.getfixturevalue("slurm") if request.node.get_closest_marker("slurm") else None
    with cluster_workspace(tmp_path, sshd, slurm) as made:
        yield made


@pytest.fixture(autouse=True)
def _in_order_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test find what another one broke or left running."""
    yield
    # The names hold the fixtures' own fixtures too.
    for name in {"sshd", "slurm"}.intersection(request.fixturenames):
        request.getfixturevalue(name).restore()


@pytest.fixture
def known(slurm: Slurm) -> set[str]:
    """List the job arrays of earlier tests."""
    return arrays(slurm, set())
