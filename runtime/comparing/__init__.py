"""Two runs on the rows that both held out: which one explains them better, and how sure that is."""
