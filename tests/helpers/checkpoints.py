"""Small random checkpoints of the classes that readers download."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    EncodecConfig,
    EncodecModel,
    PreTrainedTokenizerFast,
)

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def save_tiny(kind, folder):
    """Save a random network of one kind, 64 tokens long, with a tokenizer of bytes: any language can be written."""
    vocabulary = {byte: k + 3 for k, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary.update({"<s>": 0, "</s>": 1, "<pad>": 2})
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"bert": "<s> $A </s>", "opt": "</s> $A", "llama": "<s> $A"}.get(kind)
    if special:
        added = [("<s>", 0), ("</s>", 1)]
        tokenizer.post_processor = processors.TemplateProcessing(single=special, special_tokens=added)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    size = {"vocab_size": len(vocabulary), "max_position_embeddings": 64}
    if kind == "bert":
        network = transformers.BertModel(transformers.BertConfig(**SMALL, **size, initializer_range=0.2))
    elif kind == "gpt2":
        config = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 0, "eos_token_id": 1}
        config.update(vocab_size=len(vocabulary), initializer_range=0.2)
        network = transformers.GPT2Model(transformers.GPT2Config(**config))
    elif kind == "opt":
        config = {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 48, "num_hidden_layers": 2}
        network = transformers.OPTModel(transformers.OPTConfig(**config, **size, num_attention_heads=4, init_std=0.2))
    else:
        network = transformers.LlamaModel(
            transformers.LlamaConfig(**SMALL, **size, num_key_value_heads=2, initializer_range=0.2)
        )
    network.save_pretrained(folder)
    return folder


def save_short_minilm(folder):
    """Save the lower two of the six layers of MiniLM with its tokenizer, unless they are there."""
    from naturalistic.features import text

    if not (folder / "tokenizer.json").is_file():  # written last
        model = text.load_model()
        model.network.encoder.layer = model.network.encoder.layer[:2]
        model.network.config.num_hidden_layers = 2
        model.network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    return folder


def save_tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokens = ["<s>", "<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: k for k, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    return len(tokens)


def save_clap(folder, seed=0):
    torch.manual_seed(seed)
    vocabulary = save_tokenizer(folder)
    text = {"vocab_size": vocabulary, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 82}  # fmt: skip
    sound = {"spec_size": 128, "num_mel_bins": 32, "window_size": 4, "patch_embeds_hidden_size": 8, "hidden_size": 64,
             "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4]}  # fmt: skip
    ClapModel(ClapConfig(text_config=text, audio_config=sound, projection_dim=12)).save_pretrained(folder)
    extractor = ClapFeatureExtractor(feature_size=32, hop_length=960, truncation="rand_trunc", padding="repeatpad")
    extractor.save_pretrained(folder)
    return folder


def save_encodec(folder, seed=0, **changes):
    torch.manual_seed(seed)
    config = {"num_filters": 4, "hidden_size": 8, "codebook_dim": 8, "codebook_size": 64,
              "target_bandwidths": [0.45, 0.9]} | changes  # fmt: skip
    model = EncodecModel(EncodecConfig(**config))
    for layer in model.quantizer.layers:
        layer.codebook.embed.normal_()  # codebooks begin at zero
    for key, weight in model.encoder.named_parameters():
        if key.endswith("original0"):
            weight.data *= 2  # else so few layers of random weights hardly tell one sound from another
    model.save_pretrained(folder)
    return folder
