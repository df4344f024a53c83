"""Kokoro, a network that speaks as people do: `fetch` gets it, `speech` speaks, `speakers` says who there is.

Kokoro-82M and its voices are by hexgrad, its ONNX form by thewh1teagle (kokoro-onnx), Apache-2.0 and MIT.
"""
