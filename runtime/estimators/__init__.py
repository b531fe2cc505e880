"""Estimators of scikit-learn: X and y become a run, and the run answers for other rows."""
