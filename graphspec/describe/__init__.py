"""A spec in other words: written out, as JSON Schema, as sentences, as SARIF."""
