"""Pydantic models of the language: shapes of fields, frozen and strict."""

from graphspec.schema.base import NumberOrSchedule, Schedule
from graphspec.schema.data import Augment, ColumnSpec, DataSection, LabelBudget, Split
from graphspec.schema.factors import (
    DistributionSpec,
    FactorSpec,
    LearnedParameter,
    NetworkParameter,
    ParameterSpec,
    RecognitionSection,
)
from graphspec.schema.networks import DEFAULT_NETWORK, WEIGHTLESS, NetworkSpec
from graphspec.schema.objective import (
    Consistency,
    EstimatorSpec,
    ObjectiveSection,
    OverRho,
    TotalCorrelation,
)
from graphspec.schema.spec import Spec
from graphspec.schema.training import Initialize, TrainingSection
from graphspec.schema.variables import Domain, Role, VariableSpec

__all__ = [
    "DEFAULT_NETWORK",
    "WEIGHTLESS",
    "Augment",
    "ColumnSpec",
    "Consistency",
    "DataSection",
    "DistributionSpec",
    "Domain",
    "EstimatorSpec",
    "FactorSpec",
    "Initialize",
    "LabelBudget",
    "LearnedParameter",
    "NetworkParameter",
    "NetworkSpec",
    "NumberOrSchedule",
    "ObjectiveSection",
    "OverRho",
    "ParameterSpec",
    "RecognitionSection",
    "Role",
    "Schedule",
    "Spec",
    "Split",
    "TotalCorrelation",
    "TrainingSection",
    "VariableSpec",
]
