"""Options of a column that change its values: standardize is for numbers, soft for labels, all others for images."""

from graphspec.graphs.graph import Variable
from graphspec.headers.sources import SourceInfo
from graphspec.language import Augment, ColumnSpec, DataSection
from graphspec.text.report import Report


def check_options(variable: Variable, entry: ColumnSpec, report: Report) -> None:
    """GS084 for every option that the variable cannot have."""
    _check_resize(variable, entry, report)
    _check_soft(variable, entry, report)
    if entry.colour is not None and (entry.columns is not None or len(variable.shape) not in (2, 3)):
        hint = "leave it out, or declare a shape such as [1, 28, 28]"
        _refuse(variable, "colour", f"`colour` needs an image, and '{variable.name}' is none", hint, report)
    if entry.augment is not None:
        _check_image(variable, entry, "augment", report)
        _check_colours(variable, entry.augment, report)
    if entry.local_contrast is not None:
        _check_local_contrast(variable, entry, report)
    if entry.binarize is not None and variable.domain not in ("unit", "binary"):
        hint = "it turns grey values of a `unit` or `binary` variable into 0 and 1"
        _refuse(variable, "binarize", f"`binarize` does not apply to the domain {variable.domain}", hint, report)
    if entry.standardize and variable.domain not in ("real", "positive"):
        hint = "only `real` variables are standardized, and the logarithms of `positive` ones: others have a range"
        _refuse(variable, "standardize", f"`standardize` does not apply to the domain {variable.domain}", hint, report)


def _check_soft(variable: Variable, entry: ColumnSpec, report: Report) -> None:
    if entry.soft and not takes_weights(variable, entry):
        hint = "for example {columns: [p_cat, p_dog], soft: true} of a supervised category with two classes"
        message = f"`soft` gives a label a weight per class by several columns, which '{variable.name}' cannot have"
        _refuse(variable, "soft", message if entry.columns is not None else "`soft` needs `columns`", hint, report)


def takes_weights(variable: Variable, entry: ColumnSpec) -> bool:
    """Several columns can give the variable a weight per class."""
    classes = variable.domain in ("category", "binary") and not variable.shape
    return classes and variable.role == "supervised" and entry.columns is not None


def check_for_pictures(data: DataSection, info: SourceInfo, named: bool, report: Report) -> None:
    """GS084 for `white` and `on_error` where the source holds no picture files, and names none."""
    if info.columns is None or info.files or named:
        return
    for option, given in (("white", data.white is not None), ("on_error", data.on_error != "stop")):
        if given:
            message = f"`{option}` is about picture files, and {data.source} holds none"
            report.error("GS084", ("data", option), message, key=True, hint="leave it out")


def _check_resize(variable: Variable, entry: ColumnSpec, report: Report) -> None:
    if entry.resize is None:
        return
    if len(entry.resize) != 2:
        hint = "for example `resize: [48, 42]`"
        _refuse(variable, "resize", "`resize` takes a height and a width", hint, report)
    else:
        _check_image(variable, entry, "resize", report)


def _check_local_contrast(variable: Variable, entry: ColumnSpec, report: Report) -> None:
    _check_image(variable, entry, "local_contrast", report)
    if len(variable.shape) == 3 and entry.columns is None and variable.domain == "unit":
        hint = "declare `domain: real`; the picture as it is can feed another variable by the same column"
        message = "`local_contrast` gives values around 0, and a unit has none below"
        _refuse(variable, "local_contrast", message, hint, report)


def _check_image(variable: Variable, entry: ColumnSpec, option: str, report: Report) -> None:
    """Interpolated pixels need an image of continuous values (or one that is binarized afterwards)."""
    binarized = variable.domain == "binary" and entry.binarize is not None
    if entry.columns is not None:
        problem = "stacked columns are no image"
    elif len(variable.shape) != 3:
        problem = f"'{variable.name}' is no image of shape [channels, height, width]"
    elif variable.domain not in ("unit", "real") and not binarized:
        problem = f"pixels of a {variable.domain} cannot be interpolated"
    else:
        return
    hint = "leave it out, or declare `domain: unit` and a shape such as [1, 28, 28]"
    if variable.domain == "binary" and len(variable.shape) == 3:
        hint = "add `binarize: threshold`, or leave it out"
    _refuse(variable, option, f"`{option}` needs an image: {problem}", hint, report)


def _check_colours(variable: Variable, changes: Augment, report: Report) -> None:
    """Saturation and hue are of colours."""
    if len(variable.shape) != 3 or variable.shape[0] == 3:
        return
    for option in ("saturation", "hue"):
        if getattr(changes, option):
            message = f"`{option}` needs red, green and blue, and '{variable.name}' has {variable.shape[0]} channels"
            hint = "leave it out; brightness and contrast are for images of any number of channels"
            path = ("data", "variables", variable.name, "augment", option)
            report.error("GS084", path, message, key=True, hint=hint)


def _refuse(variable: Variable, option: str, message: str, hint: str, report: Report) -> None:
    report.error("GS084", ("data", "variables", variable.name, option), message, key=True, hint=hint)
