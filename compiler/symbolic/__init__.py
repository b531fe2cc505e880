"""Programs and objectives as values: derived, printed, costed. No torch in this room."""
