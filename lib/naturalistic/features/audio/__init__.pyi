from .registry import MODELS, Embedder, Entry, load

__all__ = ["MODELS", "Embedder", "Entry", "load"]
