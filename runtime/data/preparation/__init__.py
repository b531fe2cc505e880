"""From a table to `PreparedData`: values checked, splits drawn, labels kept or blanked."""
