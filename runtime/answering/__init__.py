"""Questions to a trained model, each answered by a panel."""
