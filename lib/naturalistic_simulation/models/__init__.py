"""Small models of made music whose weights come with the package: two embedders and a generator."""
