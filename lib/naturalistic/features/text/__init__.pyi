from .language_model import load_model
from .words_in_context import LanguageModel, compare, context_starts, contextual, static

__all__ = ["LanguageModel", "compare", "context_starts", "contextual", "load_model", "static"]
