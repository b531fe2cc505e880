"""The `data` section: where rows come from, which column feeds which variable, who keeps a label."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, GetJsonSchemaHandler, Tag, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from graphspec.language.base import LARGEST_SEED, Section, Shape, as_tuple
from graphspec.language.picture_changes import Augment, LocalContrast
from graphspec.language.plate_data import DataPlates

Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) and is_pattern(value) else as_tuple(value)),
]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Cell = int | Annotated[float, Field(allow_inf_nan=True)] | str
Cells = Annotated[tuple[Cell, ...], BeforeValidator(as_tuple)]
Missing = Annotated[
    Annotated[Cells, Tag("every")] | Annotated[dict[str, Cells], Tag("each")],
    Discriminator(lambda value: "each" if isinstance(value, dict) else "every"),
]
_TAB = {"tab": "\t", "\\t": "\t"}
Sign = Annotated[str, Field(min_length=1, max_length=1), BeforeValidator(lambda value: _TAB.get(value, value))]


def is_pattern(name: str) -> bool:
    """`gene_*`: stands for every column it matches, unless one is called exactly so."""
    return "*" in name or "?" in name


FEW_LABELS = 30
"""An error that is measured on fewer labelled rows says little."""


class ColumnSpec(Section):
    """How one variable is read: a column name, a list stacked into a vector, or a mapping with options."""

    column: str | None = Field(default=None, description="Column that feeds the variable.")
    columns: Columns | None = Field(
        default=None,
        description='Columns stacked into a vector, in this order; `*` and `?` stand for letters, as in "gene_*".',
    )
    missing: Missing = Field(
        default=(), description="Cell values that mean blank, for example [unknown, 99]; or by column: {age: [99]}."
    )
    standardize: bool = Field(
        default=False,
        description="Zero mean, unit variance over training rows, of a positive variable in its logarithm; errors come "
        "back in data units.",
    )
    soft: bool = Field(
        default=False, description="Columns give a category a weight per class, in the order of its classes."
    )
    folder: str | None = Field(
        default=None,
        description="Of a table: its cells name picture files in this folder, which stands beside the table.",
    )
    resize: Shape | None = Field(default=None, description="Resize images to [height, width].")
    colour: Literal["grey", "rgb"] | None = Field(
        default=None, description="Read images as grey (one channel) or rgb (three), whatever they are."
    )
    binarize: Literal["dynamic", "threshold"] | None = Field(
        default=None, description="Draw pixels anew each time (dynamic) or cut at 0.5 (threshold)."
    )
    local_contrast: LocalContrast | None = Field(
        default=None, description="Each pixel beside its surroundings, whatever the light there; the domain is real."
    )
    augment: Augment | None = Field(default=None, description="Random changes in training only.")

    @model_validator(mode="before")
    @classmethod
    def _accept_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"column": value}
        return {"columns": value} if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _one_source(self) -> "ColumnSpec":
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either `column` or `columns`")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every column read, in order."""
        return (self.column,) if self.column is not None else (self.columns or ())

    def missing_in(self, column: str) -> tuple[Cell, ...]:
        """Cell values that mean blank in one of the columns."""
        return self.missing.get(column, ()) if isinstance(self.missing, dict) else self.missing

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, handler(schema)]}


Elements = Annotated[
    Annotated[int, Field(ge=1), Tag("count")] | Annotated[float, Field(gt=0, le=1), Tag("share")],
    Discriminator(lambda value: "share" if isinstance(value, float) else "count"),
]


class LabelBudget(Section):
    """Which training rows keep a label: `{per_class: 6}`, `{with: other}`, `{rows: file.txt}`; or which elements of a
    plate: `{elements: 500}`."""

    per_class: Annotated[int, Field(ge=1)] | None = Field(default=None, description="So many of each class.")
    same_as: str | None = Field(default=None, alias="with", description="The same rows as this variable.")
    rows: str | None = Field(default=None, description="File of 0-based rows of the source as read, one a line.")
    elements: Elements | None = Field(
        default=None, description="So many elements of a plate, or such a share of them, in whatever rows."
    )

    @model_validator(mode="after")
    def _one_rule(self) -> "LabelBudget":
        if sum(part is not None for part in (self.per_class, self.same_as, self.rows, self.elements)) != 1:
            raise ValueError("give exactly one of per_class, with, rows, elements")
        return self


def _budget_tag(value: Any) -> str:
    if isinstance(value, (dict, LabelBudget)):
        return "rule"
    return "share" if isinstance(value, float) else "count"


Labels = Annotated[
    Annotated[int, Field(ge=1), Tag("count")]
    | Annotated[float, Field(gt=0, le=1), Tag("share")]
    | Annotated[LabelBudget, Tag("rule")],
    Discriminator(_budget_tag),
]


class Split(Section):
    """Rows held out: by share, by a column's value, or by fold; stratified or grouped by a column."""

    fraction: Share | None = Field(default=None, description="Share of the rows.")
    stratify: str | None = Field(default=None, description="Keep this column's proportions.")
    group: str | None = Field(default=None, description="Never split rows that share this column's value.")
    column: str | None = Field(default=None, description="Column that names the split of each row.")
    value: Cell | None = Field(default=None, description="Value of `column` that belongs to this split.")
    fold: int | None = Field(default=None, ge=0, description="Index of the fold held out, from 0.")
    of: int | None = Field(default=None, ge=2, description="Number of folds.")

    @model_validator(mode="after")
    def _one_rule(self) -> "Split":
        rules = [self.fraction is not None, self.column is not None, self.fold is not None]
        if sum(rules) != 1:
            raise ValueError("give exactly one of fraction, column, fold")
        if (self.column is None) != (self.value is None):
            raise ValueError("`column` and `value` belong together")
        if (self.fold is None) != (self.of is None):
            raise ValueError("`fold` and `of` belong together")
        if self.fold is not None and self.of is not None and self.fold >= self.of:
            raise ValueError(f"fold {self.fold} does not exist: folds are 0 to {self.of - 1}")
        if self.stratify is not None and self.group is not None:
            raise ValueError("give stratify or group, not both")
        return self


def _split_tag(value: Any) -> str:
    if isinstance(value, (dict, Split)):
        return "rule"
    return "share" if isinstance(value, float) else "count"


HeldOut = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Share, Tag("share")] | Annotated[Split, Tag("rule")],
    Discriminator(_split_tag),
]


class DataSection(Section):
    """Rows, columns, label budgets and splits; needed to train, not to compile."""

    source: str = Field(
        description="A known data set (digits, mnist, multi_mnist, sprites, svhn, yale_b) or a path: .npz, .csv, .tsv "
        "(or .gz of these two), .parquet, a folder of images, or .tar shards such as rows-{000..009}.tar."
    )
    regime: Literal["separate", "overlapping"] | None = Field(
        default=None, description="Of multi_mnist: whether digits may lie on each other; left out, separate."
    )
    separator: Sign | None = Field(default=None, description="Sign between cells; left out, the first lines tell.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Sign before a fraction; left out, a point.")
    thousands: Sign | None = Field(default=None, description="Sign between groups of three digits; left out, none.")
    variables: dict[str, ColumnSpec] = Field(default_factory=dict, description="Which column feeds which variable.")
    plates: DataPlates = Field(default_factory=dict, description="How the elements of plates stand in the files.")
    labels: dict[str, Labels] = Field(
        default_factory=dict,
        description="Training rows that keep their label: a count or a share, classes in proportion, or a rule.",
    )
    factors: dict[str, str] = Field(
        default_factory=dict, description="Columns that `evaluate` measures against and training never sees."
    )
    test: HeldOut | None = Field(default=None, description="Test rows; left out, the source's own split, else 0.2.")
    validation: HeldOut | None = Field(default=None, description="Of the training rows; left out, 0.1.")
    white: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Level of full white in picture files deeper than 8 bits (or, if none is, in all); left out, their "
        "own depth says it.",
    )
    on_error: Literal["stop", "skip"] = Field(
        default="stop", description="Picture files that cannot be read: stop and name them all, or skip those rows."
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of splits and label budgets.")

    @model_validator(mode="after")
    def _signs_differ(self) -> "DataSection":
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError("`decimal` and `thousands` are the same sign")
        if self.thousands is not None and self.thousands in "+-0123456789":
            raise ValueError("`thousands` is a sign that numbers have anyway")
        if self.separator is not None and self.separator in '"\r\n':
            raise ValueError("`separator` stands between cells: no quote and no line break")
        return self

    @property
    def split_columns(self) -> tuple[str, ...]:
        """Columns that the split rules read."""
        rules = [rule for rule in (self.test, self.validation) if isinstance(rule, Split)]
        named = [name for rule in rules for name in (rule.stratify, rule.group, rule.column) if name is not None]
        return tuple(dict.fromkeys(named))


def changed_alike(columns: Mapping[str, ColumnSpec]) -> dict[str, str]:
    """By variable that `augment` changes, the first one that reads the same columns and is changed by the same options:
    they show one picture, and share its changes."""
    first: dict[str, str] = {}
    for name, spec in columns.items():
        if spec.augment is not None:
            alike = (other for other in first.values() if _alike(columns[other], spec))
            first[name] = next(alike, name)
    return first


def _alike(one: ColumnSpec, other: ColumnSpec) -> bool:
    without = [each.augment and each.augment.model_copy(update={"mirrors": None}) for each in (one, other)]
    return one.names == other.names and one.folder == other.folder and without[0] == without[1]
