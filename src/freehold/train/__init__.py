"""Train: a dataset and a base become a model, in a process of its own.

Importing this loads no torch. Not covered: serving what was trained (`serve`), judging it (`prove`).
"""

from freehold.train.convergence import Undertrained, undertrained
from freehold.train.fit import fit
from freehold.train.job import Phase, Progress, Trained
from freehold.train.recipe import Recipe, default_epochs

__all__ = ["Phase", "Progress", "Recipe", "Trained", "Undertrained", "default_epochs", "fit", "undertrained"]
