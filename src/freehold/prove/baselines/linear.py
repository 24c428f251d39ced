"""A linear bag-of-words classifier: multinomial logistic regression on words and word pairs.

Rows are log(1 + count) weighted by inverse document frequency and scaled to length 1; the mean negative log likelihood
with a ridge penalty is minimised by L-BFGS. It answers several questions at once (the fields of a JSON output), each
with a softmax of its own over shared features. 10,000 short texts with 77 labels take some seconds on one core. It
exists to stand beside an owned model: what it can do needs no language model.

Not covered: word order beyond pairs, tuning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

_WORD = re.compile(r"\w+|[^\w\s]")
_LARGEST_VOCABULARY = 20_000
_LEAST_ROWS = 2
_RIDGE = 1e-6
_MAX_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A fitted classifier: `classes` per question, `weights` of shape (vocabulary, all classes), `bias` per class."""

    vocabulary: dict[str, int]
    rarity: NDArray[np.float64]
    classes: tuple[tuple[str, ...], ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def predict(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each text and question, the likeliest class and its probability."""
        import numpy as np

        logits = np.asarray(_rows(texts, self.vocabulary, self.rarity) @ self.weights) + self.bias
        answers: list[list[tuple[str, float]]] = [[] for _ in texts]
        for (start, stop), names in zip(_blocks(self.classes), self.classes, strict=True):
            shares = _softmax(logits[:, start:stop])
            best = shares.argmax(axis=1)
            for answer, row, i in zip(answers, shares, best, strict=True):
                answer.append((names[i], float(row[i])))
        return answers


def fit_linear(texts: Sequence[str], questions: Sequence[Sequence[str]]) -> Linear:
    """Fit on `texts` the answers to each of `questions`, one class name per text."""
    import numpy as np
    from scipy.optimize import minimize

    vocabulary, rarity = _learn_words(texts)
    x = _rows(texts, vocabulary, rarity)
    classes = tuple(tuple(sorted(set(names))) for names in questions)
    truth = np.column_stack([_column(names, known) for names, known in zip(questions, classes, strict=True)])
    blocks = _blocks(classes)
    shape = (len(vocabulary) + 1, blocks[-1][1])
    turned = x.T.tocsr()

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return _loss(flat.reshape(shape), x, turned, truth, blocks)

    best = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MAX_STEPS})
    found = best.x.reshape(shape)
    return Linear(vocabulary=vocabulary, rarity=rarity, classes=classes, weights=found[:-1], bias=found[-1])


def _loss(
    parameters: NDArray[np.float64],
    x: csr_array,
    turned: csr_array,
    truth: NDArray[np.int_],
    blocks: Sequence[tuple[int, int]],
) -> tuple[float, NDArray[np.float64]]:
    """The penalised mean loss and its gradient; the last row of `parameters` is the bias."""
    import numpy as np

    n = x.shape[0]
    weights = parameters[:-1]
    errors = np.asarray(x @ weights) + parameters[-1]
    total = 0.5 * _RIDGE * float(np.vdot(weights, weights))
    for question, (start, stop) in enumerate(blocks):
        shares = _softmax(errors[:, start:stop])
        chosen = (np.arange(n), truth[:, question])
        total -= float(np.log(np.maximum(shares[chosen], 1e-300)).sum()) / n
        shares[chosen] -= 1.0
        errors[:, start:stop] = shares / n
    gradient = np.vstack([np.asarray(turned @ errors) + _RIDGE * weights, errors.sum(axis=0)])
    return total, gradient.ravel()


def _learn_words(texts: Sequence[str]) -> tuple[dict[str, int], NDArray[np.float64]]:
    """The commonest words and pairs that occur in at least two texts, and their inverse document frequencies."""
    import numpy as np

    rows: Counter[str] = Counter()
    for text in texts:
        rows.update(set(_grams(text)))
    known = [(gram, count) for gram, count in rows.most_common(_LARGEST_VOCABULARY) if count >= _LEAST_ROWS]
    vocabulary = {gram: i for i, (gram, _) in enumerate(known)}
    rarity = np.array([1 + math.log((1 + len(texts)) / (1 + count)) for _, count in known])
    return vocabulary, rarity


def _rows(texts: Sequence[str], vocabulary: dict[str, int], rarity: NDArray[np.float64]) -> csr_array:
    import numpy as np
    from scipy.sparse import csr_array

    values: list[float] = []
    places: list[int] = []
    ends = [0]
    for text in texts:
        counts = Counter(vocabulary[gram] for gram in _grams(text) if gram in vocabulary)
        row = [math.log1p(count) * float(rarity[i]) for i, count in counts.items()]
        length = math.sqrt(math.fsum(v * v for v in row)) or 1.0
        values.extend(v / length for v in row)
        places.extend(counts)
        ends.append(len(values))
    shape = (len(texts), len(vocabulary))
    return csr_array((np.array(values), np.array(places, dtype=np.int32), np.array(ends, dtype=np.int32)), shape=shape)


def _grams(text: str) -> list[str]:
    words = _WORD.findall(text.casefold())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def _column(names: Sequence[str], known: Sequence[str]) -> NDArray[np.int_]:
    import numpy as np

    place = {name: i for i, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=int)


def _blocks(classes: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    blocks, start = [], 0
    for names in classes:
        blocks.append((start, start + len(names)))
        start += len(names)
    return blocks


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    raised: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares
