"""The `objective` section: gamma weighs rows, alpha weighs labels, beta weighs hidden variables."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from graphspec.language.base import NamedSection, NumberOrSchedule, Schedule, Section

OVER_RHO = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*/\s*rho\s*$")


class OverRho(Section):
    """`25/rho`: a number divided by the labelled variable's own rate gamma M_j / (N + gamma M)."""

    over_rho: float = Field(description="The numerator.")


def _read_over_rho(value: Any) -> Any:
    if isinstance(value, str):
        match = OVER_RHO.match(value)
        if match is None:
            raise ValueError("expected a number, a schedule, or a number divided by rho such as 25/rho")
        return OverRho(over_rho=float(match.group(1)))
    return value


def _alpha_tag(value: Any) -> str:
    if isinstance(value, OverRho):
        return "over_rho"
    return "number"


Alpha = Annotated[
    Annotated[OverRho, Tag("over_rho"), WithJsonSchema({"type": "string", "pattern": OVER_RHO.pattern})]
    | Annotated[NumberOrSchedule, Tag("number")],
    Discriminator(_alpha_tag),
    BeforeValidator(_read_over_rho),
]


class PerVariable(dict[str, Any]):
    """A mapping known to go by variable, even by those that are called `from` and `to`."""


def _alphas_tag(value: Any) -> str:
    if isinstance(value, PerVariable) or (isinstance(value, dict) and "from" not in value and "to" not in value):
        return "per_variable"
    return "one"


Alphas = Annotated[
    Annotated[dict[str, Alpha], AfterValidator(PerVariable), Tag("per_variable")] | Annotated[Alpha, Tag("one")],
    Discriminator(_alphas_tag),
]


class TotalCorrelation(Section):
    """The beta-TCVAE split of a root latent's divergence; each part has its own weight."""

    total_correlation: NumberOrSchedule = Field(description="Weight of the total correlation between elements.")
    mutual_information: NumberOrSchedule = Field(
        default=1.0, description="Weight of the index-code mutual information."
    )
    dimension_wise: NumberOrSchedule = Field(default=1.0, description="Weight of the divergence of each element.")
    estimator: Literal["stratified", "weighted"] = Field(
        default="stratified", description="How log q(z) over the data is estimated from a batch (Chen et al. 2018)."
    )


def _beta_tag(value: Any) -> str:
    if isinstance(value, TotalCorrelation):
        return "split"
    parts = {"total_correlation", "mutual_information", "dimension_wise"}
    return "split" if isinstance(value, dict) and parts & set(value) else "number"


Beta = Annotated[
    Annotated[TotalCorrelation, Tag("split")] | Annotated[NumberOrSchedule, Tag("number")], Discriminator(_beta_tag)
]


def _values_tag(value: Any) -> str:
    return "auto" if isinstance(value, str) else "count"


ValueBudget = Annotated[
    Annotated[int, Field(ge=1), Tag("count")] | Annotated[Literal["auto"], Tag("auto")], Discriminator(_values_tag)
]


class EstimatorSpec(NamedSection):
    """How the expectation over one hidden variable is taken: a name, or `{kind: NAME, ...}`."""

    kind: Literal["reparameterize", "enumerate", "relax", "score_function", "mean"] = Field(
        description="The estimator; mean: q's mean (of a bernoulli) stands for a draw, and the objective is no bound."
    )
    temperature: NumberOrSchedule = Field(default=0.66, description="relax: temperature of the Concrete sample.")
    straight_through: bool = Field(default=False, description="relax: discrete forward, relaxed backward.")
    budget: ValueBudget | None = Field(
        default=None,
        description="enumerate: sum this many values, sample the rest; auto: one where that saves much work, else all.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mapping = handler(schema)
        kinds = handler.resolve_ref_schema(mapping)["properties"]["kind"]["enum"]
        return {"anyOf": [{"type": "string", "enum": kinds}, mapping]}


class Consistency(Section):
    """Agreement of q on an augmented row with the averaged model's q on the clean row (outside the bound)."""

    weight: NumberOrSchedule = Field(description="Weight of the regulariser.")
    after: float = Field(default=0, ge=0, description="Epoch from which it acts.")
    confidence: float = Field(default=0.9, ge=0, le=1, description="Rows count where the averaged model is this sure.")
    adversarial: float = Field(
        default=0,
        ge=0,
        description="Length by which observed rows are moved, in the direction that changes the answer most; 0: not.",
    )


AnswerBy = Literal["recognition", "bound", "both"]
"""By what a label that is not given is answered."""

NumberKind = Literal[
    "alpha", "beta", "free_bits", "mutual_information", "total_correlation", "dimension_wise", "temperature"
]
"""Numbers that the section has of a variable; three of them stand for beta where a divergence is split."""


class ObjectiveSection(Section):
    """Weights, estimators and bounds of the derived objective."""

    alpha: Alphas = Field(
        default=50.0, description="Weight of log q(label | observed): a number, `25/rho`, a schedule, or per variable."
    )
    gamma: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Weight of a labelled row against an unlabelled one (instead of rho)."
    )
    rho: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Share of the total weight that labelled rows carry; 0.5 where gamma is not given."
    )
    samples: int = Field(default=1, ge=1, description="S: joint samples of the hidden variables per row.")
    label_bound: Literal["logmeanexp", "jensen"] = Field(
        default="logmeanexp", description="Bound of log q(label | x) where a hidden variable is upstream of the label."
    )
    bound: Literal["elbo", "importance_weighted"] = Field(default="elbo", description="The bound on log p.")
    consistency: dict[str, Consistency] = Field(default_factory=dict, description="Per supervised variable.")
    beta: dict[str, Beta] = Field(default_factory=dict, description="Weight of log p - log q per hidden variable.")
    free_bits: dict[str, NumberOrSchedule] = Field(
        default_factory=dict, description="Nats per row of divergence that cost nothing more to reduce, before beta."
    )
    estimators: dict[str, EstimatorSpec] = Field(
        default_factory=dict, description="Overrides the compiler's choice per hidden variable."
    )
    answers: dict[str, AnswerBy] = Field(
        default_factory=dict,
        description="Per supervised variable, by what a label that is not given is answered: q(label | row), p's own "
        "posterior as far as the bound tells it, or the mean of both.",
    )

    @model_validator(mode="after")
    def _one_row_weight(self) -> "ObjectiveSection":
        if self.gamma is not None and self.rho is not None:
            raise ValueError("give rho or gamma, not both: each determines the other")
        return self

    def number_of(self, kind: NumberKind, name: str) -> float | Schedule | OverRho | None:
        """What is written of one number of a variable; None of a divergence that has no such number."""
        beta = self.beta.get(name)
        match kind:
            case "alpha":
                return self.alpha.get(name, 50.0) if isinstance(self.alpha, dict) else self.alpha
            case "free_bits":
                return self.free_bits.get(name)
            case "temperature":
                return self.estimators.get(name, EstimatorSpec(kind="relax")).temperature
            case "beta":
                return None if isinstance(beta, TotalCorrelation) else beta
            case _:
                return getattr(beta, kind) if isinstance(beta, TotalCorrelation) else None

    def labelled_share(self, labelled: int, unlabelled: int) -> float:
        """rho = gamma M / (N + gamma M): 0 without labelled rows, 1 without unlabelled ones (design, section 3)."""
        if labelled == 0:
            return 0.0
        if unlabelled == 0:
            return 1.0
        if self.gamma is not None:
            return self.gamma * labelled / (unlabelled + self.gamma * labelled)
        return 0.5 if self.rho is None else self.rho
