"""From stimulus to features: language models, the TR grid, delays."""
