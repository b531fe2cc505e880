"""How fast a step is, and what `auto` decides to make it faster."""
