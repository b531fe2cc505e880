"""The whole spec: sections in any order, fields checked one by one; rules across fields live in `rules`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from graphspec.language.base import Section
from graphspec.language.data import DataSection
from graphspec.language.factors import GenerativeSection, RecognitionSection
from graphspec.language.include import IncludeSection
from graphspec.language.networks import NetworksSection
from graphspec.language.objective import ObjectiveSection, PerVariable
from graphspec.language.plates import PlatesSection
from graphspec.language.training import TrainingSection
from graphspec.language.variables import VariablesSection


class Spec(Section):
    """One graphspec file, language version 1."""

    graphspec: Literal[1] = Field(description="Language version.")
    name: str = Field(default="", description="Short name of the model, no path; run folders are called after it.")
    description: str = Field(default="", description="What the model is for.")
    variables: VariablesSection = Field(description="Every node of the two graphs, declared once.")
    generative: GenerativeSection = Field(description="p: one factor per variable it models.")
    recognition: RecognitionSection = Field(description="q: factors of latent and supervised variables, or `auto`.")
    networks: NetworksSection = Field(default_factory=dict, description="Architectures by name; `default` included.")
    objective: ObjectiveSection = Field(default_factory=ObjectiveSection, description="Weights and estimators.")
    data: DataSection | None = Field(default=None, description="Rows, columns, label budgets, splits.")
    training: TrainingSection = Field(default_factory=TrainingSection, description="Optimization.")
    plates: PlatesSection = Field(default_factory=dict, description="What a row has several of.")
    include: IncludeSection = Field(default_factory=dict, description="Other specs, or runs, as parts of this one.")

    @model_validator(mode="before")
    @classmethod
    def _alpha_of_variables(cls, value: Any) -> Any:
        """`alpha: {from: 50, to: 10}` is a schedule, unless these are supervised variables."""
        objective, variables = (_mapping(_mapping(value).get(name)) for name in ("objective", "variables"))
        alpha = _mapping(objective.get("alpha"))
        if alpha and all(_mapping(variables.get(name)).get("role") == "supervised" for name in alpha):
            return value | {"objective": objective | {"alpha": PerVariable(alpha)}}
        return value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
