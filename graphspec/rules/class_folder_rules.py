"""Class folders as values of a variable: what `check` says of them and what the reader refuses is said here, once."""

from collections.abc import Sequence
from dataclasses import replace

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.numbers import is_integer, same_cell
from graphspec.language.data import Cell
from graphspec.reading.suggestions import few


def problem_with_class_folders(
    variable: Variable, column: str, folders: Sequence[str], missing: Sequence[str]
) -> tuple[str, str] | None:
    """(message, hint) where class folders cannot name the classes of a category or binary.

    folders: all of them; missing: those that the spec's `missing` lists. Without `names`, folders that are no numbers
    are classes 0, 1, ... in alphabetical order.
    """
    if variable.domain not in ("category", "binary"):
        return None
    classes = [folder for folder in folders if folder not in missing]
    doubtful = [folder for folder in classes if looks_blank(folder) and folder not in variable.names]
    if doubtful:
        certain = variable.names or [folder for folder in classes if folder not in doubtful]
        taken = "no class of its `names`" if variable.names else "a class"
        message = (
            f"class folder {few(map(repr, doubtful), 3)} looks like images without a label; '{variable.name}' would"
        )
        return f"{message} take it for {taken}", (
            f"read {{column: {column}, missing: [{', '.join(doubtful)}]}}; if it is a class, say so with "
            f"`names: [{', '.join(_quoted([*certain, *doubtful]))}]`"
        )
    if variable.names or variable.domain == "binary" or all(map(is_integer, classes)):
        return None
    if variable.support is not None and len(classes) != variable.support:
        return f"'{variable.name}' has {variable.support} classes, the folder has {len(classes)}: {few(classes)}", (
            f"declare `classes: {len(classes)}`, or `names: [...]` with those that have no images yet"
        )
    return None


def _quoted(names: Sequence[str]) -> list[str]:
    """As YAML needs them: a number stays a text."""
    return [f'"{name}"' if is_integer(name) else name for name in names]


def listed_folders(folders: Sequence[str], missing: Sequence[Cell]) -> list[str]:
    """Folders that `missing` lists: their images have no label."""
    return [folder for folder in folders if any(same_cell(folder, mark) for mark in missing)]


def with_folder_names(variable: Variable, folders: Sequence[str], missing: Sequence[Cell]) -> Variable:
    """A category without `names` is given those of its class folders, unless they are numbers."""
    listed = listed_folders(folders, missing)
    named = tuple(folder for folder in sorted(folders) if folder not in listed)
    if variable.names or variable.domain != "category" or all(map(is_integer, named)):
        return variable
    return replace(variable, names=named)
