"""A film of three made dramas and six made brains, in the layout of OpenNeuro ds005531."""
