from .contexts import context_starts
from .language_model import LanguageModel, load_model
from .text_encoder import sentence_vectors, text_vectors
from .word_encoder import compare, contextual, static
from .word_surprisal import surprisal

__all__ = [
    "LanguageModel",
    "compare",
    "context_starts",
    "contextual",
    "load_model",
    "sentence_vectors",
    "static",
    "surprisal",
    "text_vectors",
]
