"""Small models of simulated music with their weights: embedders, generator."""
