"""The model: factors assembled, programs run, objectives evaluated, questions answered."""
