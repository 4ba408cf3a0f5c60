"""From stimulus to features: models of music and of language, the grid of TRs, delays."""
