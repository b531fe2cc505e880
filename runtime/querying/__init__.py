"""`TARGET | FACT, do(CHANGE)`: from the text of a query to exact sums or weighted draws, and their answers."""
