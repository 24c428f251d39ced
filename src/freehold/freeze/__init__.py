"""Freeze: a task's calls and corrections become an immutable dataset with its splits and a manifest.

Not covered: reading calls from the record (`freeze.run` hands them in), redaction, imports from other tools.
"""

from freehold.freeze.build import Frozen, build
from freehold.freeze.files import load, verify, write, written_hash
from freehold.freeze.select import LabelledCall
from freehold.freeze.settings import FreezeSettings
from freehold.freeze.split import near_repeats
from freehold.model.dataset_folder import Dataset

__all__ = [
    "Dataset",
    "FreezeSettings",
    "Frozen",
    "LabelledCall",
    "build",
    "load",
    "near_repeats",
    "verify",
    "write",
    "written_hash",
]
