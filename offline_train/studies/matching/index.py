"""An index of passages by their embedding: faiss, HNSW graph, cosine.

A passage is a window of a file, perhaps moved in pitch. The graph (Malkov and Yashunin, 2018)
answers from a million in well under a millisecond; what it misses is measured by ``benchmark``,
which compares it with looking at every passage. Not here: embedding (``train``), songs (``match``).
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import needs
from offline_train.studies.matching.ranking import unit

Array = NDArray[np.float32]

N_LINKS = 32
BUILD_BREADTH = 200
SEARCH_BREADTH = 128


def _faiss() -> Any:
    if find_spec("faiss") is None:
        raise DataError(needs("matching needs faiss", "match"))
    return import_module("faiss")


class Passage(NamedTuple):
    """A window of a file of the corpus."""

    file: str
    start: float  # seconds
    semitones: int  # by which it was moved before it was embedded


class PassageIndex:
    """Passages that can be asked for by embedding.

    Parameters
    ----------
    files
        Names of the files.
    numbers, starts, semitones
        (N,) each: the passage's file, second, and shift.
    graph
        The faiss index over N unit vectors, in the same order.
    """

    def __init__(
        self,
        files: Sequence[str],
        numbers: NDArray[np.int32],
        starts: Array,
        semitones: NDArray[np.int8],
        graph: Any,
    ) -> None:
        self.files, self.numbers, self.starts = list(files), numbers, starts
        self.semitones, self._graph = semitones, graph

    def __len__(self) -> int:
        return len(self.numbers)

    def passage(self, k: int) -> Passage:
        """Return the passage with a number that ``search`` gave."""
        name = self.files[self.numbers[k]]
        return Passage(name, float(self.starts[k]), int(self.semitones[k]))

    def search(self, queries: Array, n: int) -> tuple[Array, NDArray[np.int64]]:
        """Return cosines and numbers (Q, n) of the nearest passages of queries (Q, D)."""
        likeness, found = self._graph.search(unit(queries), min(n, len(self)))
        return np.asarray(likeness, np.float32), np.asarray(found, np.int64)

    def save(self, folder: Path, facts: dict[str, Any]) -> None:
        """Write the index; ``facts.json``, which says what it was made of, comes last."""
        folder.mkdir(parents=True, exist_ok=True)
        _faiss().write_index(self._graph, str(folder / "graph.faiss"))
        np.savez(
            folder / "passages.npz",
            files=np.array(self.files),
            numbers=self.numbers,
            starts=self.starts,
            semitones=self.semitones,
        )
        (folder / "facts.json").write_text(json.dumps(facts, sort_keys=True))

    @classmethod
    def load(cls, folder: Path, facts: dict[str, Any]) -> "PassageIndex | None":
        """Return the index in a folder; None if there is none, or it was made of other things."""
        try:
            if json.loads((folder / "facts.json").read_text()) != facts:
                return None
            with np.load(folder / "passages.npz") as held:
                files = [str(name) for name in held["files"]]
                columns = held["numbers"], held["starts"], held["semitones"]
            graph = _faiss().read_index(str(folder / "graph.faiss"))
        except (OSError, ValueError, KeyError, RuntimeError):  # faiss raises RuntimeError
            return None
        graph.hnsw.efSearch = SEARCH_BREADTH
        return cls(files, *columns, graph)


def build_graph(vectors: Array) -> Any:
    """Return a faiss HNSW graph over vectors (N, D), at length 1."""
    faiss = _faiss()
    graph = faiss.IndexHNSWFlat(vectors.shape[1], N_LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = BUILD_BREADTH
    graph.add(unit(vectors))
    graph.hnsw.efSearch = SEARCH_BREADTH
    return graph


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """What an index of a size costs, and finds of what brute force finds."""

    n_passages: int
    build_s: float
    megabytes: float
    query_ms: float
    brute_query_ms: float
    recall_at_1: float
    recall_at_10: float


def benchmark(embeddings: Array, n: int, n_queries: int = 500, seed: int = 1) -> IndexFigures:
    """Return the figures of an index of n passages, queries one at a time, on one thread.

    ``embeddings`` (k, D) are real ones. If they are fewer than n, the rest lie between two of them,
    up to three tenths of the way. Queries are made like the rest, so they are not in the index.
    """
    faiss = _faiss()
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(seed)
    real = unit(embeddings)

    def between(count: int) -> Array:
        ends = real[rng.integers(len(real), size=(2, count))]
        share = rng.uniform(0, 0.3, (count, 1)).astype(np.float32)
        return unit(ends[0] + share * (ends[1] - ends[0]))

    vectors = np.concatenate([real[:n], between(max(n - len(real), 0))])
    queries = between(n_queries)
    begun = time.perf_counter()
    graph = build_graph(vectors)
    build_s = time.perf_counter() - begun
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    found, query_ms = _ask(graph, queries)
    true, brute_ms = _ask(flat, queries)
    shared = [len(set(a) & set(b)) for a, b in zip(found, true, strict=True)]
    return IndexFigures(
        n,
        build_s,
        faiss.serialize_index(graph).nbytes / 2**20,
        query_ms,
        brute_ms,
        float((found[:, 0] == true[:, 0]).mean()),
        float(np.mean(shared) / true.shape[1]),
    )


def _ask(index: Any, queries: Array) -> tuple[NDArray[np.int64], float]:
    """Return the ten nearest of each query, and the milliseconds that one query takes."""
    begun = time.perf_counter()
    found = [index.search(query[None], min(10, index.ntotal))[1][0] for query in queries]
    return np.stack(found), 1000 * (time.perf_counter() - begun) / len(queries)
