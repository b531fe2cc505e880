"""From a `Spec` to `Graphs`, as far as a faulty spec allows, so that all mistakes come at once.

In this order: names and edges as written (`declared_names`); variables with domain and shape (`complete_variables`);
what `recognition: auto` stands for (`inversion`); factors with family, parameters and network (`complete_factors`);
and all of it put together (`connect`).
"""
