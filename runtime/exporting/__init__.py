"""A run as a folder that others use without graphspec: weights, code, a query as .pt2 and .onnx, what to know of it."""
