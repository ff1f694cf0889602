"""Models by name: where the files lie, and which class runs them. Every failure is a ModelError."""

import difflib
from pathlib import Path

from engine.core.errors import ModelError
from engine.model.graph import Graph
from engine.model.stateful_model import StatefulModel
from engine.model.window_model import WindowModel
from engine.system.paths import did_you_mean, file_fault, given_path, is_file, shown
from models import shipped
from models.spec import ModelSpec

SUFFIX = ".onnx"
LOCAL_SUFFIX = ".local.onnx"


def list_models(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the models in a folder (default: the shipped ones), sorted."""
    paths = (folder or shipped.path()).glob("*" + SUFFIX)
    # NAME.local.onnx and NAME.frontend.onnx are parts of a model.
    return tuple(sorted(p.stem for p in paths if not p.stem.endswith((".local", ".frontend"))))


def model_path(name_or_path: str | Path) -> Path:
    """Return the file of a shipped model's name or of a path.

    Raises
    ------
    ModelError
        If it is neither; the message names the nearest shipped model and all of them.
    """
    path = given_path(name_or_path)
    if path.suffix == SUFFIX or len(path.parts) > 1:
        if fault := file_fault(path):
            raise ModelError(
                f"no model file at {shown(path)} ({fault}{did_you_mean(path)}): give the path of an"
                " .onnx file"
            )
        return path
    known = list_models()
    if str(name_or_path) in known:
        return shipped.path() / (str(name_or_path) + SUFFIX)
    near = difflib.get_close_matches(str(name_or_path), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ModelError(
        f"no model named {str(name_or_path)!r}: {hint}shipped are {', '.join(known) or 'none'};"
        " a file of your own is given by its path"
    )


def read_spec(graph: Graph) -> ModelSpec:
    """Return the spec that an opened model carries; raise ModelError if it carries none."""
    text = graph.metadata()
    try:
        return ModelSpec.from_metadata(text)
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{graph.path} is not a cover model ({error}): give a model that offline_train exported"
        ) from error


def load_model(
    name_or_path: str | Path, provider: str = "cpu", threads: int = 1
) -> StatefulModel | WindowModel:
    """Return a model, warm and at the beginning of a stream.

    Parameters
    ----------
    name_or_path : str or Path
        A shipped model's name, or the path of an ``.onnx`` file.
    provider : str
        cpu, cuda, coreml, directml, or auto (the first present that works, else cpu).
    threads : int
        Threads for one operator.

    Raises
    ------
    ModelError
        If there is no such model, its files are broken, incomplete or of another kind, or the
        provider is absent.
    """
    path = model_path(name_or_path)
    graph = Graph(path, provider, threads)
    spec = read_spec(graph)
    if spec.kind == "stateful":
        return StatefulModel(spec, graph)
    local_path = path.with_name(path.stem + LOCAL_SUFFIX)
    if not is_file(local_path):
        raise ModelError(f"{path} is a window model and needs {local_path.name} beside it")
    local = Graph(local_path, provider, threads)
    if read_spec(local) != spec:
        raise ModelError(f"{local_path} belongs to another model than {path}: export both again")
    return WindowModel(spec, graph, local)
