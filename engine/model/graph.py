"""ONNX graphs opened with our own threads and provider; every failure is a ModelError.

The one module that imports ONNX Runtime, with its events switched off.

Not here: what the graphs mean (``engine.model.stateful_model``, ``engine.model.window_model``,
``engine.model.frontend``).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.system.paths import file_fault, shown
from models.spec import METADATA_KEY

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Our name -> ONNX Runtime's, in the order in which ``auto`` tries them."""

# Those of Windows; the rest is switched off by engine.system.privacy.
ort.disable_telemetry_events()

RUNTIME_VERSION: str = ort.__version__
"""Of ONNX Runtime."""

Value = ort.OrtValue
"""An array that stays on the graph's device."""

ERRORS_ONLY = 3  # ONNX Runtime's log_severity_level


def available_providers() -> tuple[str, ...]:
    """Return our names of the providers that this ONNX Runtime has; ``cpu`` is always the last."""
    present = ort.get_available_providers()
    return tuple(name for name, theirs in PROVIDERS.items() if theirs in present)


def choose_provider(name: str) -> str:
    """Return the provider meant by cpu, cuda, coreml, directml or auto.

    Raises
    ------
    ModelError
        If the name is unknown, or this ONNX Runtime was built without that provider.
    """
    present = available_providers()
    if name == "auto":
        return present[0]
    if name not in PROVIDERS:
        known = ", ".join(["auto", *PROVIDERS])
        raise ModelError(f"provider must be one of {known}, not {name!r}")
    if name not in present:
        raise ModelError(
            f"provider {name!r} was asked for, but this ONNX Runtime has only"
            f" {', '.join(present)}: install the onnxruntime package for {name}, or take one of"
            " those"
        )
    return name


class Graph:
    """An ONNX graph, ready to run.

    Parameters
    ----------
    path : Path
        The file.
    provider : str
        cpu, cuda, coreml, directml, or auto (the first that works, else cpu).
    threads : int
        Threads for one operator; they sleep between runs rather than spin.

    Raises
    ------
    ModelError
        If the file is missing, truncated or not ONNX, or the provider is absent or fails.
    """

    def __init__(self, path: Path, provider: str = "cpu", threads: int = 1) -> None:
        self.path = path
        self.provider = choose_provider(provider)
        if fault := file_fault(path):
            raise ModelError(
                f"no model file at {shown(path)} ({fault}): give the path of an .onnx file"
            )
        if provider == "auto" and self.provider != "cpu":
            try:
                self._session = _open(path, self.provider, threads)
            except ModelError as error:
                log.warning("%s; the CPU takes over", error)
                self.provider = "cpu"
        if provider != "auto" or self.provider == "cpu":
            self._session = _open(path, self.provider, threads)
        self.inputs: dict[str, list[int | str | None]] = {
            i.name: list(i.shape) for i in self._session.get_inputs()
        }
        self.outputs: dict[str, list[int | str | None]] = {
            o.name: list(o.shape) for o in self._session.get_outputs()
        }
        self._device = "cuda" if self.provider == "cuda" else "cpu"

    def metadata(self) -> str:
        """Return the JSON that livecover stored in the file; raise ModelError if there is none."""
        text: str | None = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise ModelError(
                f"{self.path} is an ONNX file, but not one of livecover's (its metadata has no"
                f" {METADATA_KEY!r}): give a model that offline_train exported"
            )
        return text

    def check(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Raise ModelError unless the graph has exactly these inputs and at least these outputs."""
        missing = sorted(set(outputs) - set(self.outputs))
        if set(self.inputs) != set(inputs) or missing:
            raise ModelError(
                f"{self.path} does not fit its metadata: inputs {sorted(inputs)} expected,"
                f" {sorted(self.inputs)} found; outputs missing: {missing}. Export it again"
            )

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Return the outputs named, as arrays; ModelError if the graph fails.

        The GIL is free while the graph runs.
        """
        with self._failing():
            arrays: list[Array] = self._session.run(list(outputs), dict(inputs))
        return arrays

    def zeros(self, name: str, sizes: Mapping[str, int] | None = None) -> ort.OrtValue:
        """Return zeros of an input's shape on the graph's device; ``sizes`` of its free axes."""
        sizes = sizes or {}
        axes = [sizes.get(a, a) if isinstance(a, str) else a for a in self.inputs[name]]
        shape = [size for size in axes if isinstance(size, int)]
        if len(shape) < len(self.inputs[name]):
            raise ModelError(
                f"{self.path}: {name} must have a fixed shape, not {self.inputs[name]}."
                " Export it again"
            )
        return ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32), self._device, 0)

    def run_with_state(
        self,
        inputs: Mapping[str, Array],
        state: Mapping[str, ort.OrtValue],
        outputs: Sequence[str],
        next_state: Sequence[str],
    ) -> tuple[list[Array], list[ort.OrtValue]]:
        """Return outputs as arrays, and the next state, which never leaves the graph's device.

        Raises ModelError if the graph fails.
        """
        binding = self._session.io_binding()
        held = {name: np.ascontiguousarray(array) for name, array in inputs.items()}  # till run
        for name, array in held.items():
            binding.bind_cpu_input(name, array)
        for name, value in state.items():
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name)
        for name in next_state:
            binding.bind_output(name, self._device)
        with self._failing():
            self._session.run_with_iobinding(binding)
        values = binding.get_outputs()
        arrays = [value.numpy() for value in values[: len(outputs)]]
        return arrays, list(values[len(outputs) :])

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            reason = " ".join(str(error).split())
            raise ModelError(
                f"{self.path} fails while it runs ({reason}): export it again, or try provider cpu"
            ) from error


def _open(path: Path, provider: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # Spinning threads would take the cores that the song's player and the synthesizer need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    names = list(dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"])))
    try:
        is_text = shown(path) == str(path)  # it opens no file by another name
        model = str(path) if is_text else path.read_bytes()
        session = ort.InferenceSession(model, options, providers=names)
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path} cannot be opened as an ONNX model, it may be truncated or of another kind:"
            f" {reason}"
        ) from error
    if PROVIDERS[provider] not in session.get_providers():
        raise ModelError(
            f"provider {provider!r} does not start here (its driver or libraries are missing):"
            " use --provider cpu, or install them"
        )
    return session
