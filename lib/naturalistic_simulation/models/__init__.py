"""Small models of simulated music whose weights come with the package: two embedders and a generator."""
