"""Whether eight bits make a streaming model faster, and what they cost its covers.

ONNX Runtime has no GRU in eight bits, so only convolutions and matrix products change: with
``dynamic``, products whose inputs are scaled as they come; with ``static``, both, their inputs
scaled by ranges found on songs in sounds of training (QDQ).
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from engine.core.errors import ModelError
from engine.cover.cost import compare_costs
from engine.cover.style import style_vector
from engine.model.cover_model import style_row
from engine.model.frontend import SUFFIX as FRONTEND_SUFFIX
from engine.model.pipeline import Pipeline, load_pipeline, offline_features
from engine.model.stateful_model import StatefulModel
from offline_train.evaluation import EvaluateConfig, evaluate
from offline_train.evaluation.report import markdown_table
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import read_reference_song, song_names

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Feed = dict[str, Array]

CALIBRATION_S = 10.0  # of each song
COST_S = 20.0  # of the first song evaluated
STATE, NEXT = "state_", "next_"


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # it has no type information
    """The inputs of a model's steps, states and all, while it runs on songs."""

    def __init__(self, pipeline: Pipeline, songs: EvaluateConfig) -> None:
        self._feeds = _feeds(pipeline, songs)

    def get_next(self) -> Feed | None:
        """Return the next step's inputs, None at the end."""
        return next(self._feeds, None)


def _feeds(pipeline: Pipeline, songs: EvaluateConfig) -> Iterator[Feed]:
    assert isinstance(pipeline.model, StatefulModel)
    graph, spec = pipeline.model.graph, pipeline.spec
    style = style_row(spec, style_vector("balanced", spec))
    states = [name for name in graph.inputs if name.startswith(STATE)]
    after = [NEXT + name.removeprefix(STATE) for name in states]
    for name in song_names(songs):
        samples = read_reference_song(songs, name).samples[: round(CALIBRATION_S * SAMPLE_RATE)]
        features = offline_features(samples, pipeline.frontend)
        state = {name: graph.zeros(name) for name in states}
        step = 8 * spec.step_frames
        for start in range(0, len(features) - step, step):
            feed = {"features": features[None, start : start + step], "style": style}
            yield {**feed, **{name: value.numpy() for name, value in state.items()}}
            _, values = graph.run_with_state(feed, state, spec.outputs, after)
            state = dict(zip(states, values, strict=True))


def quantized(model: Path, out: Path, calibration: EvaluateConfig) -> dict[str, Path]:
    """Write the model in eight bits into ``out``, each way; return the files by the way's name.

    Raises
    ------
    ModelError
        If the model does not stream.
    """
    pipeline = load_pipeline(model)
    if not isinstance(pipeline.model, StatefulModel):
        raise ModelError(f"{model}: expected a stateful model, came one of windows")
    out.mkdir(parents=True, exist_ok=True)
    frontend = pipeline.spec.features.name + FRONTEND_SUFFIX
    shutil.copyfile(model.parent / frontend, out / frontend)
    files = {way: out / f"{model.stem}-{way}.onnx" for way in ("dynamic", "static")}
    folded = out / f"{model.stem}-folded.onnx"
    quant_pre_process(model, folded, skip_symbolic_shape=True)
    quantize_dynamic(
        folded, files["dynamic"], op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8
    )
    quantize_static(
        folded,
        files["static"],
        Calibration(pipeline, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    return files


def compare(model: Path, out: Path, songs: EvaluateConfig, calibration: EvaluateConfig) -> str:
    """Return a table of the model as it is and in eight bits: speed, in the same run, and F1.

    ``songs`` are evaluated, those of ``calibration`` calibrate. Raises as ``quantized`` and
    ``evaluate`` do.
    """
    files: Mapping[str, Path] = {"float": model, **quantized(model, out, calibration)}
    pipelines = {way: load_pipeline(path, threads=1) for way, path in files.items()}
    song = read_reference_song(songs, song_names(songs)[0])
    costs = compare_costs(pipelines, song.samples[: round(COST_S * SAMPLE_RATE)])
    rows = []
    for way, path in files.items():
        evaluated = evaluate(path, songs, baselines=(), paths=("streamed",), with_qmax=False)
        factor = costs[way].model.processor
        figures = evaluated.streamed.figures
        rows.append(
            [
                f"{way} ({eight_bits(path)})",
                f"{path.stat().st_size / 1e6:.2f}",
                f"{factor:.4f}",
                f"{costs['float'].model.processor / factor:.2f}",
                f"{figures['onset_f1']:.3f}",
                f"{figures['frame_f1']:.3f}",
            ]
        )
    title = f"{model.stem}, {len(song_names(songs))} songs"
    header = [title, "MB", "features to posteriors, real-time factor", "gain"]
    return markdown_table([[*header, "onset F1", "frame F1"], *rows])


def eight_bits(path: Path) -> str:
    """Return how many of a file's operators with weights hold them in eight bits."""
    graph = onnx.load(path).graph
    held = {i.name for i in graph.initializer if i.data_type in (2, 3)}  # UINT8, INT8
    made = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}

    def is_quantized(name: str) -> bool:
        return name in held or (name in made and made[name].input[0] in held)

    kinds = ("Conv", "ConvInteger", "MatMul", "MatMulInteger", "Gemm", "GRU")
    nodes = [node for node in graph.node if node.op_type in kinds]
    n_quantized = sum(any(map(is_quantized, node.input[1:2])) for node in nodes)
    return f"{n_quantized} of {len(nodes)} operators"
