"""From samples to posteriors: front end, ONNX models, the pipeline of both, their latency."""
