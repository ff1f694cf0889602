"""The experiment of "Automatic transcription using embedding latent space", as one command.

Renders piano pieces (GiantMIDI-Piano and POP909's arrangements, on several pianos, mastered anew
in each mix) and bands, trains the rows of ``rows``, and asks for the partners of unseen
snippets among candidates: the paper's Table 2, the variational decoder's transcription beside it,
and what an index of many snippets costs. Every part is kept, so the command goes on where it
stopped.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.papers.embedding import EmbeddingConfig, JointEmbedding
from offline_train.data.prepare import PrepareConfig, prepare
from offline_train.data.shards import MANIFEST, StoredPiece, manifest_hash
from offline_train.studies.experiments import (
    ExperimentConfig,
    check_rows,
    training_options,
)
from offline_train.studies.matching.index import benchmark
from offline_train.studies.matching.pictures import draw_recall, draw_snippets
from offline_train.studies.matching.ranking import (
    Retrieval,
    nearest,
    ranks,
    score_retrieval,
    transcription_measure,
)
from offline_train.studies.matching.snippets import MAX_SHIFT, Snippets, Task, analyze_pieces
from offline_train.studies.matching.train import (
    MatchingConfig,
    candidates,
    embed,
    load_checkpoint,
    load_embedding,
    train,
    written,
)
from offline_train.training.checkpoints import TRAINING_ONLY, write_weights

MATCHERS = ("register", "decoder")  # rows of which the product may have one: the last that is there
THRESHOLDS = np.linspace(0.1, 0.6, 11)
PAPERS = {
    "Dias Neto et al., as printed": (0.0015, 0.037, 0.01, 336, "2%"),
    "their untrained networks, as printed": (0.0015, 0.035, 0.01, 324, "3.3%"),
    "Dorfer et al., as printed (sheet music)": (0.31, 0.83, 0.44, 3, "-"),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """How much of everything a size takes."""

    train_limit: int  # pieces of each corpus; 0 is all
    test_limit: int
    cover_limit: int  # songs of a split that bands play
    takes: int
    n_mixes: int
    excerpt_s: float
    channels: tuple[int, ...]
    batch: int
    steps: int
    minutes: float  # of each training
    n_candidates: int
    cover_candidates: int  # fewer songs hold fewer
    n_indexed: int
    only: tuple[str, ...] = ()  # rows; () is all


SLICES = {
    "tiny": Slice(1, 1, 1, 1, 1, 10.0, (4, 4, 8, 8), 6, 3, 0.0, 4, 4, 1000, ("register",)),
    "small": Slice(60, 0, 30, 1, 1, 60.0, (12, 24, 48, 48), 32, 2000, 2.5, 2000, 500, 1_000_000),
    "full": Slice(0, 0, 0, 2, 2, 90.0, (24, 48, 96, 96), 100, 30_000, 0.0, 2000, 2000, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A training of the table: what is said of it, its task, and how it differs."""

    text: str
    task: Task
    config: MatchingConfig


def rows(c: ExperimentConfig) -> dict[str, Row]:
    """Return the rows of the table by name, which is their folder's too."""
    size = SLICES[c.size]
    paper = EmbeddingConfig(channels=size.channels)
    ours = replace(paper, head="register")
    base = MatchingConfig(
        c.out,
        paper,
        **training_options(c, size.steps, size.batch, size.minutes),
        valid_every=max(size.steps // 20, 1),
        valid_candidates=min(500, size.n_candidates),
    )
    as_printed = replace(base, learning_rate=1e-2, batch=min(32, size.batch), max_shift=0)
    variational = replace(ours, is_variational=True)
    register = c.out / "register" / "best.pt"  # what is asked of the rows after it is what they add
    begun = replace(base, network=variational, begin_with=register)
    with_sound = replace(begun, sound_reconstruction_weight=1.0)
    cover = replace(base, network=ours, begin_with=register)
    table = {
        "printed": Row("networks, rate and batch as printed, keys not moved", "piano", as_printed),
        "average": Row("networks as printed, our training", "piano", base),
        "register": Row("and a head that reads the register", "piano", replace(base, network=ours)),
        "decoder": Row("begun with it: and the decoder", "piano", begun),
        "hearing": Row("and the decoder learns from sound too", "piano", with_sound),
        "cover": Row("begun with it: band to human arrangement", "cover", cover),
    }
    check_rows(c.rows, table)
    return {n: replace(r, config=replace(r.config, out=c.out / n)) for n, r in table.items()}


def shards(c: ExperimentConfig, task: Task, split: str) -> list[Path]:
    """Return the folders of shards of a split, rendered now if they are not there."""
    size = SLICES[c.size]
    is_train = split == "train"
    is_there = c.prepared is not None and (c.prepared / split / MANIFEST).is_file()
    if task == "cover" and c.size == "full" and c.prepared is not None and is_there:
        return [c.prepared / split]
    common: dict[str, Any] = {
        "split": split,
        "excerpt_s": size.excerpt_s,
        "takes": size.takes if is_train else 1,
        "limit": size.train_limit if is_train else size.test_limit,
        "seed": c.seed,
        "workers": c.threads,
    }
    if task == "cover":
        common["limit"] = size.cover_limit
    corpora = ("giantmidi", "pop909") if task == "piano" else ("pop909",)
    folders = []
    for corpus in corpora:
        out = c.out / "shards" / f"{corpus}-{task}-{split}"
        config = PrepareConfig(c.data, out, corpus=corpus, solo=task == "piano", **common)
        if corpus == "giantmidi":  # few pieces, but long: more of each
            config = replace(config, takes=2 * config.takes + 1 if is_train else 1)
        prepare(config)
        if (out / MANIFEST).is_file() and out.joinpath(MANIFEST).stat().st_size:
            folders.append(out)
    return folders


def analyzed(c: ExperimentConfig, task: Task, split: str) -> list[StoredPiece]:
    """Return the analysed pieces of a split."""
    n_mixes = SLICES[c.size].n_mixes if split == "train" else 1
    return analyze_pieces(
        shards(c, task, split), c.out / "heard" / f"{task}-{split}", task, n_mixes, c.seed
    )


def run(c: ExperimentConfig) -> str:
    """Run the experiment, or go on with it; return the report, which is ``out/report.md`` too.

    Raises
    ------
    DataError
        If the data folder lacks GiantMIDI-Piano or POP909, or a program that renders.
    """
    torch.set_num_threads(c.threads)
    size = SLICES[c.size]
    table, recalls = [], {}
    shown = None
    for name, row in rows(c).items():
        best = row.config.out / "best.pt"
        if name in (c.rows or size.only or rows(c)):
            best = train(row.config, analyzed(c, row.task, "train"), analyzed(c, row.task, "valid"))
        if not best.is_file():
            continue
        valid = candidates(analyzed(c, row.task, "valid"), row.config.valid_candidates)
        n_pairs = load_checkpoint(row.config.out / "last.pt")["step"] * row.config.batch
        n = size.n_candidates if row.task == "piano" else size.cover_candidates
        test = candidates(analyzed(c, row.task, "test"), n, seed=1)
        evaluation = evaluate_networks(load_embedding(best), valid, test, n_pairs)
        table.append((row.text, evaluation))
        recalls[row.text] = evaluation.ranks
        if evaluation.decoded is not None or shown is None:
            shown = (test, evaluation)
        if name in MATCHERS:
            write_weights(load_checkpoint(best), c.out / "match.pt", TRAINING_ONLY)
        if len(table) == 1:
            torch.manual_seed(c.seed)
            untrained = JointEmbedding(row.config.network).eval()
            table.insert(0, ("our networks, untrained", evaluate_networks(untrained, valid, test)))
    assert shown is not None
    draw_recall(c.out / "recall.png", recalls)
    draw_snippets(c.out / "snippets.png", shown[0], shown[1].nearest, shown[1].decoded)
    figures = benchmark(table[-1][1].scores, size.n_indexed)
    text = report(c, table, figures)
    (c.out / "report.md").write_text(text)
    plain = [
        {
            "row": row,
            **asdict(evaluation.retrieval),
            "tm": evaluation.tm,
            "pairs": evaluation.n_pairs,
        }
        for row, evaluation in table
    ]
    (c.out / "report.json").write_text(json.dumps([*plain, asdict(figures)], indent=1))
    return text


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pair of networks does on unseen snippets.

    ``tm``: of the nearest candidate; of the nearest but its own partner; of the decoder.
    """

    retrieval: Retrieval
    tm: tuple[float, float, float | None]
    ranks: NDArray[np.int64]
    nearest: NDArray[np.int64]  # its own partner left out
    scores: NDArray[np.float32]  # embeddings of the rolls
    decoded: NDArray[np.bool_] | None
    n_pairs: int  # in training


def evaluate_networks(
    network: JointEmbedding, valid: Snippets, test: Snippets, n_pairs: int = 0
) -> Evaluation:
    """Return the figures on the test's snippets; the decoder's threshold is chosen on valid."""
    sounds, scores = embed(network, test)
    rolls = test.rolls.numpy() > 0.5
    found = nearest(sounds, scores)
    others = nearest(sounds, scores, is_partner_absent=True)
    decoded, tm_decoded = None, None
    if network.decoder is not None:
        chances, true = written(network, valid).sigmoid().numpy(), valid.rolls.numpy() > 0.5
        best = max(THRESHOLDS, key=lambda t: transcription_measure(true, chances > t))
        decoded = written(network, test).sigmoid().numpy() > best
        tm_decoded = transcription_measure(rolls, decoded)
    tm = tuple(transcription_measure(rolls, rolls[k]) for k in (found, others))
    return Evaluation(
        score_retrieval(sounds, scores),
        (tm[0], tm[1], tm_decoded),
        ranks(sounds, scores),
        others,
        scores,
        decoded,
        n_pairs,
    )


def report(c: ExperimentConfig, table: list[tuple[str, Evaluation]], figures: Any) -> str:
    """Return the tables as Markdown."""
    n = table[0][1].retrieval.n_candidates
    scores = ["R@1", "R@25", "MRR", "median rank"]
    columns = ["", "pairs trained on", *scores, "TM, nearest", "TM, partner absent", "TM, decoder"]
    lines = [
        f"Joint embedding, size {c.size}, seed {c.seed}: {n} unseen candidates, or as said.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for text, evaluation in table:
        r, (tm, absent, decoded) = evaluation.retrieval, evaluation.tm
        last = "-" if decoded is None else f"{decoded:.1%}"
        text += "" if r.n_candidates == n else f" ({r.n_candidates} candidates)"
        lines.append(
            f"| {text} | {evaluation.n_pairs:,} | {r.recall_at_1:.4f} | {r.recall_at_25:.3f} |"
            f" {r.mrr:.3f} | {r.median_rank:g} | {tm:.1%} | {absent:.1%} | {last} |"
        )
    for text, (r1, r25, mrr, rank, printed) in PAPERS.items():
        lines.append(f"| {text} | - | {r1} | {r25} | {mrr} | {rank} | {printed} | - | - |")
    lines += [
        "",
        "| snippets indexed | built in | size | a query | brute force | recall@1 | recall@10 |",
        "|---" * 7 + "|",
        f"| {figures.n_passages:,} | {figures.build_s:.0f} s | {figures.megabytes:.0f} MB |"
        f" {figures.query_ms:.2f} ms | {figures.brute_query_ms:.2f} ms |"
        f" {figures.recall_at_1:.3f} | {figures.recall_at_10:.3f} |",
        "",
        f"Pictures: recall.png, snippets.png. Shifts in training: {MAX_SHIFT} semitones to either"
        " side. Data: "
        + ", ".join(
            f"{folder.name} {manifest_hash(folder)[:8]}"
            for folder in sorted((c.out / "heard").iterdir())
        ),
    ]
    return "\n".join(lines) + "\n"
