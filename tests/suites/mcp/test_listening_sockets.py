"""Which ports a process listens on, from tables as /proc has them."""

from __future__ import annotations

from suites.mcp.listening_sockets import ports

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1
   2: 0100007F:9000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 333 1
"""


def test_a_process_listens_where_a_socket_of_its_own_does() -> None:
    assert ports(TABLE, frozenset({"111", "333"})) == {8080}
    assert ports(TABLE, frozenset()) == frozenset()
