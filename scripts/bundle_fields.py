"""Writes docs/bundle.md from the docstrings of edgevoice/asr/bundle.py, so that the schema's page cannot go stale."""

from __future__ import annotations

import ast
import typing
from pathlib import Path

from edgevoice.asr import bundle
from edgevoice.asr.graph_file import COMPILED

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "bundle.md"


READ = " or ".join(map(str, bundle.READABLE))


HEAD = f"""# The model bundle

A folder that holds all that is needed to run a model, and nothing that executes:

    {bundle.MANIFEST_NAME}      the manifest, described below
    model.onnx          the graph; model.int8.onnx and the like beside it are the same graph in other precisions
    model.front.onnx    of models that hear raw audio: the convolutions, where they can be run apart
    reader.encoder.onnx, reader.decoder.onnx
                        what reads finished sentences once more, where one comes along: beside captions, or as a bundle
                        of its own; also .int8.onnx and .fp16.onnx
    reader.tiktoken     the bytes of each of its tokens
    README.md           what it is, what it was trained on, how good it is

`edgevoice export` and `edgevoice models pull` write bundles, `edgevoice models verify` checks one. This page is made by
`scripts/bundle_fields.py`.

## What is refused

Before any file reaches onnxruntime, in one sentence that says which and why:

- a manifest of another format than {READ}, with fields or values that are not described here, larger than
  {bundle.LARGEST_MANIFEST // 1_000_000} MB, or that is a link or no plain file;
- a file that is missing, or does not match its sha256; a link, a folder or a pipe in its place, wherever it leads;
- a file that lies in the folder and is not in the manifest; names with a path in them;
- a graph that is no ONNX file (a pickle, ONNX Runtime's own format), that keeps data anywhere but in a file of the
  manifest (another folder, an address in memory), wherever in it that is said: a branch, a function, a sparse weight;
- a graph with a program compiled for one accelerator (`{COMPILED}`).

Training that goes on from a bundle (`edgevoice train --model`) builds the model from `config` with the code of the
installed Transformers, and refuses a configuration that names code of the hub.

## Versions

`format` grows with every field that comes, goes or changes its meaning. This version of edgevoice writes
format {bundle.FORMAT} and reads {READ}; export a bundle of another again. What is optional has a default, which stands
in the table. Format 3 added `reader`, and nothing else changed.

"""
TITLES = {
    bundle.Manifest: f"`{bundle.MANIFEST_NAME}`",
    bundle.Graph: "A graph",
    bundle.FeatureSettings: "Features",
    bundle.Decoding: "Decoding",
    bundle.ReaderSpec: "A reader",
}


def page() -> str:
    """The whole page."""
    tree = ast.parse(Path(bundle.__file__).read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return HEAD + "\n".join(_section(title, classes[each.__name__]) for each, title in TITLES.items())


def _section(title: str, node: ast.ClassDef) -> str:
    lines = [f"## {title}\n", f"{ast.get_docstring(node)}\n", "| field | type | default | meaning |", "|---" * 4 + "|"]
    for field, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            name = ast.unparse(field.target)
            lines.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {_meaning(name, following)} |")
    return "\n".join(lines) + "\n"


def _meaning(name: str, node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split()).replace("|", "\\|")
    raise SystemExit(f"the field {name} has no docstring")


def _default(field: ast.AnnAssign) -> str:
    if field.value is None:
        return "needed"
    if isinstance(field.value, ast.Call):  # field(default_factory=...)
        return "{}"
    value = getattr(bundle, field.value.id) if isinstance(field.value, ast.Name) else ast.literal_eval(field.value)
    if value is None:
        return "none"
    return f"`{list(value) if isinstance(value, tuple) else value}`" if value != "" else "empty"


def _type(node: ast.expr) -> str:
    if ast.unparse(node).startswith("Literal"):
        assert isinstance(node, ast.Subscript)
        choices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return " or ".join(f"`{ast.literal_eval(each)}`" for each in choices)
    names = {
        "str": "text",
        "int": "number",
        "float": "number",
        "tuple[str, ...]": "list of texts",
        "tuple[float, ...]": "list of numbers",
        "tuple[int, ...]": "list of numbers",
        "Streaming": " or ".join(f"`{each}`" for each in typing.get_args(bundle.Streaming)),
        "dict[str, str]": "object of texts",
        "dict[str, float]": "object of numbers",
        "dict[str, int]": "object of numbers",
        "dict[str, Any]": "object",
        "dict[str, Graph]": "object of graphs",
        "FeatureSettings": "features",
        "Decoding": "decoding",
        "ReaderSpec | None": "reader",
    }
    return names[ast.unparse(node)]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
