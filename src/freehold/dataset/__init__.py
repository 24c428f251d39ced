"""Freeze: a task's calls and corrections become an immutable dataset with its splits and a manifest.

Not covered: reading calls from the record (`loop` hands them in), redaction, imports from other tools.
"""

from freehold.dataset.build import Frozen, build
from freehold.dataset.files import Dataset, load, verify, write, written_hash
from freehold.dataset.select import LabelledCall
from freehold.dataset.settings import FreezeSettings

__all__ = ["Dataset", "FreezeSettings", "Frozen", "LabelledCall", "build", "load", "verify", "write", "written_hash"]
