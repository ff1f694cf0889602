"""From a checkpoint to the ONNX files that the engine plays."""
