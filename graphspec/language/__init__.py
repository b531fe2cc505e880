"""Pydantic models of the language: shapes of fields, frozen and strict."""

from graphspec.language.base import NumberOrSchedule, Schedule
from graphspec.language.data import ColumnSpec, DataSection, LabelBudget, Split
from graphspec.language.factors import (
    DistributionSpec,
    FactorSpec,
    LearnedParameter,
    NetworkParameter,
    ParameterSpec,
    RecognitionSection,
)
from graphspec.language.networks import DEFAULT_NETWORK, WEIGHTLESS, NetworkSpec
from graphspec.language.objective import Consistency, EstimatorSpec, ObjectiveSection, OverRho, TotalCorrelation
from graphspec.language.picture_changes import Augment, LocalContrast
from graphspec.language.plate_data import PlateColumns
from graphspec.language.plates import PlateSpec
from graphspec.language.spec import Spec
from graphspec.language.training import Initialize, TrainingSection
from graphspec.language.variables import Domain, Role, VariableSpec

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
    "LocalContrast",
    "NetworkParameter",
    "NetworkSpec",
    "NumberOrSchedule",
    "ObjectiveSection",
    "OverRho",
    "ParameterSpec",
    "PlateColumns",
    "PlateSpec",
    "RecognitionSection",
    "Role",
    "Schedule",
    "Spec",
    "Split",
    "TotalCorrelation",
    "TrainingSection",
    "VariableSpec",
]
