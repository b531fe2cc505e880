"""Data, training, evaluation, pictures, command line. torch is loaded with what needs it, not with this package."""

TYPE_CHECKING = False  # typing itself takes longer to load than all else before a Ctrl-C can be answered in words

if TYPE_CHECKING:
    from runtime.estimators.scikit_learn import GraphspecClassifier, GraphspecRegressor, GraphspecTransformer
    from runtime.predicting.predictor import Predictor
    from runtime.querying.run_predictor import open_predictor
    from runtime.runs.run_folder import Run, open_run
    from runtime.training.loop.fitting import fit

__all__ = [
    "GraphspecClassifier", "GraphspecRegressor", "GraphspecTransformer", "Predictor", "Run", "fit", "open_predictor",
    "open_run",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """The public calls on first use."""
    if name == "fit":
        from runtime.training.loop.fitting import fit

        return fit
    if name == "Predictor":
        from runtime.predicting.predictor import Predictor

        return Predictor
    if name == "open_predictor":
        from runtime.querying.run_predictor import open_predictor

        return open_predictor
    if name in ("GraphspecClassifier", "GraphspecRegressor", "GraphspecTransformer"):
        from runtime.estimators import scikit_learn

        return getattr(scikit_learn, name)
    if name in ("Run", "open_run"):
        from runtime.runs import run_folder

        return getattr(run_folder, name)
    raise AttributeError(f"module 'runtime' has no attribute {name!r}")
