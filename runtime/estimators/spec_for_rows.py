"""The spec that an estimator trains: the caller's own or the starter recipe, reading the rows that `fit` was given.

Of the caller's `data` section stay how columns are read (standardize, missing, ...) and the share for validation; its
source, budgets of labels and test rows do not: X and y say these.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from graphspec.drafting.guesses import Guess
from graphspec.drafting.table_draft import recipe
from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers import Table
from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat
from graphspec.language.variables import AUTO
from graphspec.loading import load
from runtime.estimators.given_columns import GivenColumns
from runtime.estimators.given_labels import GivenLabels

Array = NDArray[Any]
Spec = str | Path | Mapping[str, Any] | None
NAME = "estimator"


@dataclass(frozen=True)
class SpecForRows:
    """text: of the spec, whose data are `source`; name: where it stands. arrays: what the file at `source` is to hold.
    label: the variable that y is, if any; places: of y's classes, which value of the variable each is. overrides: of
    the text."""

    text: str
    name: str
    arrays: Mapping[str, Array]
    label: str | None
    places: NDArray[np.int64] | None = None
    classes: Array | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadAs:
    """How X was laid out in `fit`, so that later rows are laid out alike. whole: variable -> the shape of what it takes
    of X by place; none: columns by name."""

    whole: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def arrays(self, given: GivenColumns) -> dict[str, Array]:
        """Columns as the run reads them."""
        if not self.whole:
            return dict(given.cells)
        numbers, first, found = given.numbers, 0, dict[str, Array]()
        for name, shape in self.whole:
            found[name] = numbers[:, first : first + prod(shape)].reshape(len(numbers), *shape)
            first += prod(shape)
        return found


def starter(given: GivenColumns, labels: GivenLabels | Array | None, source: Path) -> SpecForRows:
    """The recipe of `graphspec new --from` for X and y."""
    guesses = [_guess(given, name) for name in given.cells]
    arrays, target = dict(given.cells), None
    if labels is not None:
        target = "y"
        while target in arrays:
            target += "_"
    if isinstance(labels, GivenLabels):
        names = _safe_names(labels.classes)
        counts = tuple(int((labels.index == place).sum()) for place in range(len(labels.classes)))
        guesses.append(Guess(target or "", "category", names, blanks=int((~labels.given).sum()), counts=counts))
        arrays[target or ""] = np.array([*names, ""])[labels.index]
    elif labels is not None:
        guesses.append(Guess(target or "", "number", blanks=int(np.isnan(labels).sum())))
        arrays[target or ""] = labels
    table = Table({name: Column(name, "number", ()) for name in arrays}, given.rows)
    text = recipe(NAME, str(source), table, NumberFormat(), guesses, [] if target is None else [target])
    places = classes = None
    if isinstance(labels, GivenLabels):
        places, classes = np.arange(len(labels.classes)), labels.classes
    return SpecForRows(text, f"{NAME}.yaml", arrays, target, places, classes, ("data.test=0", "data.validation=0"))


def _guess(given: GivenColumns, name: str) -> Guess:
    cells, kind = given.cells[name], given.kinds[name]
    blank = cells == "" if kind == "category" else np.isnan(cells)
    known = np.unique(cells[~blank])
    if len(known) < 2:
        return Guess(name, "left out", blanks=int(blank.sum()), why="is the same in every row")
    names = tuple(str(each) for each in known.tolist()) if kind == "category" else ()
    unseen = kind == "category"  # a class that training has not seen is a blank later on
    return Guess(name, kind, names, blanks=int(blank.sum()) or int(unseen))


def _safe_names(classes: Array) -> tuple[str, ...]:
    """What classes are called in the spec; two at least."""
    names = tuple(str(each) for each in classes.tolist())
    if classes.dtype.kind != "U" or any(looks_blank(name) or name != name.strip() for name in names):
        names = tuple(f"class {name}" for name in names)
    return names if len(names) > 1 else (*names, "no other")


# --- specs of the caller's own --------------------------------------------------------------------------------------


def own_spec(
    spec: Spec, given: GivenColumns, labels: GivenLabels | Array | None, label: str | None, source: Path
) -> tuple[SpecForRows, ReadAs]:
    """The caller's spec with data that are X and y. label: the supervised variable that y is. Raises ValueError where X
    or y do not fit it, SpecError for mistakes in it."""
    tree, name = _tree(spec)
    data = dict(tree.get("data") or {})
    entries = {key: _entry(each) for key, each in (data.get("variables") or {}).items()}
    bare = {key: each for key, each in tree.items() if key != "data"}
    bare["variables"] = {key: _with_names(key, each, entries, given, labels, label, tree)
                         for key, each in (tree.get("variables") or {}).items()}  # fmt: skip
    graphs = load(name, text=yaml.safe_dump(bare, sort_keys=False))
    target = _target(graphs, labels, label)
    arrays, found, whole = _observed(graphs, entries, given)
    places = classes = None
    for other in graphs.supervised:
        if other == target:
            continue
        columns = _columns(entries.get(other, {"column": other}))
        if given.named and set(columns) <= set(given.cells):
            found[other] = entries.get(other, {"column": other})
            arrays |= {column: given.cells[column] for column in columns}
        else:
            arrays[other], found[other] = _blanks(graphs.variables[other], given.rows), {"column": other}
    if target is not None:
        column = target if target not in arrays else f"{target} (y)"
        variable, options = graphs.variables[target], entries.get(target, {})
        if isinstance(labels, GivenLabels):
            places, classes, arrays[column] = _coded(variable, labels)
            found[target] = {"column": column}
        else:
            assert labels is not None
            kept = {key: each for key, each in options.items() if key in ("standardize",)}
            found[target] = {"column": column, **({"standardize": True} if not options else {}), **kept}
            arrays[column] = labels
    kept_data = {key: each for key, each in data.items() if key in ("validation", "starts", "seed")}
    kept_data.setdefault("validation", 0)
    bare["data"] = {"source": str(source), **kept_data, "test": 0, "variables": found}
    text = yaml.safe_dump(bare, sort_keys=False)
    return SpecForRows(text, name, arrays, target, places, classes), ReadAs(whole)


def _tree(spec: Spec) -> tuple[dict[str, Any], str]:
    if isinstance(spec, Mapping):
        return yaml.safe_load(yaml.safe_dump(_plain(spec))), f"{NAME}.yaml"
    if isinstance(spec, str) and "\n" in spec:
        text, name = spec, f"{NAME}.yaml"
    else:
        path = Path(str(spec))
        if not path.is_file():
            raise ValueError(f"spec={str(spec)!r} is no file; give a path, the text of a spec, or a dictionary")
        text, name = path.read_text(encoding="utf-8"), str(path)
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError:
        tree = None
    if not isinstance(tree, dict):
        load(name, text=text)  # tells what is wrong, and where
        raise ValueError(f"spec: {name} is no mapping")
    return tree, name


def _plain(value: Any) -> Any:
    """Dictionaries and lists only: what YAML can write."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _entry(entry: Any) -> dict[str, Any]:
    return {"column": entry} if isinstance(entry, str) else dict(entry)


def _columns(entry: Mapping[str, Any]) -> list[str]:
    columns = entry.get("columns", entry.get("column", ()))
    return [columns] if isinstance(columns, str) else [str(each) for each in columns]


def _with_names(
    name: str, variable: Any, entries: Mapping[str, Mapping[str, Any]], given: GivenColumns,
    labels: GivenLabels | Array | None, label: str | None, tree: Mapping[str, Any],
) -> Any:  # fmt: skip
    """`names: auto` written out: of the label the classes of y, else what the column has."""
    if not isinstance(variable, Mapping) or variable.get("names") != AUTO:
        return variable
    column = next(iter(_columns(entries.get(name, {"column": name}))), name)
    supervised = [key for key, each in tree["variables"].items() if (each or {}).get("role") == "supervised"]
    if isinstance(labels, GivenLabels) and name == (label or next(iter(supervised), None)):
        return {**variable, "names": [str(each) for each in labels.classes.tolist()]}
    if column in given.cells and given.kinds[column] == "category":
        return {**variable, "names": [each for each in np.unique(given.cells[column]).tolist() if each]}
    return variable


def _target(graphs: Graphs, labels: Any, label: str | None) -> str | None:
    if labels is None:
        return None
    names = graphs.supervised
    if label is not None and label not in names:
        raise ValueError(f"label={label!r} is no supervised variable of the spec: {', '.join(names) or 'it has none'}")
    if label is None and len(names) != 1:
        many = f"the supervised variables {', '.join(names)}: label= says which of them y is"
        raise ValueError(f"the spec has {many if names else 'no supervised variable, which y could be'}")
    found = label or names[0]
    variable = graphs.variables[found]
    if prod(variable.row_shape) != 1:
        raise ValueError(f"{found} has the shape {list(variable.row_shape)}, and y is one value a row")
    if isinstance(labels, GivenLabels) != (variable.support is not None and variable.domain in ("category", "binary")):
        wanted = "classes" if isinstance(labels, GivenLabels) else "numbers"
        raise ValueError(f"{found} has the domain {variable.domain}, and this estimator answers {wanted}")
    return found


def _observed(
    graphs: Graphs, entries: Mapping[str, dict[str, Any]], given: GivenColumns
) -> tuple[dict[str, Array], dict[str, Any], tuple[tuple[str, tuple[int, ...]], ...]]:
    """(arrays, entries, what each variable takes of X by place): by the names of columns where X has them."""
    named = {name: entries.get(name, {"column": name}) for name in graphs.observed}
    wanted = [column for entry in named.values() for column in _columns(entry)]
    patterns = any("*" in column for column in wanted)
    if given.named and (patterns or set(wanted) <= set(given.cells)):
        return dict(given.cells), named, ()
    shapes = tuple((name, tuple(graphs.variables[name].row_shape)) for name in graphs.observed)
    total = sum(prod(shape) for _, shape in shapes)
    if total != len(given.cells):
        missing = [column for column in wanted if column not in given.cells]
        raise ValueError(
            f"X has {len(given.cells)} columns, and the spec's observed variables have {total} elements: "
            f"{', '.join(f'{name} {prod(shape)}' for name, shape in shapes)}"
            + (f"; by name X lacks {', '.join(missing[:6])}" if given.named else "")
        )
    found = {name: {**dict(_reading(graphs.variables[name], entries.get(name))), "column": name} for name, _ in shapes}
    return ReadAs(shapes).arrays(given), found, shapes


def _reading(variable: Variable, entry: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """How a variable is read that X has by place: as its entry says, else standardized."""
    if entry is None:
        if variable.domain in ("real", "positive"):
            yield "standardize", True
        return
    yield from ((key, value) for key, value in entry.items() if key not in ("column", "columns", "folder"))


def _blanks(variable: Variable, rows: int) -> Array:
    return np.full((rows, *variable.row_shape), -1 if variable.discrete else np.nan)


def _coded(variable: Variable, labels: GivenLabels) -> tuple[NDArray[np.int64], Array, Array]:
    """(which value of the variable each class is, all classes, cells). Classes that the spec has and y lacks stay."""
    values, classes = variable.value_names, labels.classes
    texts = [_as_text(each) for each in classes.tolist()]
    if set(texts) <= set(values):
        every = _typed(values, classes)
        order = np.argsort(every, kind="stable")
        places, found = order, every[order]
        known = {each: place for place, each in enumerate(found.tolist())}
        index = np.array([known[each] for each in _typed(texts, classes).tolist()])
    elif len(classes) == len(values):
        places, found, index = np.arange(len(values)), classes, np.arange(len(classes))
    else:
        raise ValueError(
            f"{variable.name} has the values {', '.join(values[:12])}, and y the classes {', '.join(texts[:12])}: "
            "classes= tells those that no row has"
        )
    cells = np.array([*(values[place] for place in places), ""])
    return places, found, cells[np.where(labels.given, index[labels.index], -1)]


def _as_text(label: Any) -> str:
    if isinstance(label, bool | np.bool_):
        return str(int(label))
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _typed(texts: Sequence[str], classes: Array) -> Array:
    if classes.dtype.kind == "b":
        return np.array([text not in ("0", "False") for text in texts])
    if classes.dtype.kind in "iuf":
        try:
            return np.array([float(text) for text in texts]).astype(classes.dtype)
        except ValueError:
            return np.array(texts)
    return np.array(texts)
