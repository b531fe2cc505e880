"""One update of the weights: rows, noise, loss, gradients, optimizer."""
