"""Whether a supervised variable does what its name says, and nothing else carries it.

Interventions: set it, generate, and let an independent classifier read the result (`reader`, `instrument`, `setting`).
Leakage: read it from what the latents keep of a row (`leakage`). `measuring` finds what to measure from the roles.
"""
