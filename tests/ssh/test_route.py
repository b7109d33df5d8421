"""The way to a host, through gateways or not at all."""

from __future__ import annotations

import pytest

from locusts_fab.errors import HostError
from locusts_fab.hosts import connection as route_module
from locusts_fab.hosts.ssh import SshHost
from tests.support.sshd import Sshd, module_sshd, needs_sshd

pytestmark = needs_sshd
__all__ = ["module_sshd"]


def test_gateways_are_visited_in_the_order_of_proxyjump(module_sshd: Sshd) -> None:
    module_sshd.ssh_config(more="Host cluster\n  ProxyJump one,two\nHost alone\n  ProxyJump none\n")
    connection = module_sshd.connection()
    route_module._route(connection)
    assert [hop.original_host for hop in route_module.hops_to(connection)] == ["one", "two", "cluster"]
    alone = module_sshd.connection("alone")
    route_module._route(alone)
    assert route_module.hops_to(alone) == [alone]
    module_sshd.ssh_config()


@pytest.mark.parametrize("host", ["user@host:port", "host:1:2:3@x:y", ""])
def test_a_host_that_cannot_be_understood(host: str) -> None:
    with pytest.raises(HostError):
        SshHost(host=host).run("true")
