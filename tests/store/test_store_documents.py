"""Stored documents are read by several threads of one process, also the first time that their type is used."""

from __future__ import annotations

import subprocess
import sys

READ_BY_FOUR_THREADS = """
import dataclasses, sys, threading
from freehold.store.documents import read_document

sys.setswitchinterval(1e-6)
names = [f"field_{number}" for number in range(40)]
for _ in range(100):
    kind = dataclasses.make_dataclass("Kind", [(name, int) for name in names])
    together = threading.Barrier(4)
    def read():
        together.wait()
        read_document(dict.fromkeys(names, 1), kind)
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_read_the_first_document_of_a_kind_at_the_same_time() -> None:
    """The parent of `freehold up` does: its delivery and its jobs read routes. Before msgspec 0.23 it could crash."""
    done = subprocess.run([sys.executable, "-c", READ_BY_FOUR_THREADS], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
