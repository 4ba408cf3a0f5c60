"""Small random checkpoints of models of pictures and films."""

import json

import torch
import transformers

from tests.helpers.checkpoints import save_tokenizer

SIZE = 16  # pixels of a side
LAYERS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURE = {"image_size": SIZE, "patch_size": 8, "initializer_range": 0.2, **LAYERS}
STEPS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25], "do_resize": True, "do_rescale": True,
         "do_normalize": True, "rescale_factor": 1 / 255}  # fmt: skip
CUT = {"size": {"shortest_edge": 18}, "crop_size": {"height": SIZE, "width": SIZE}, "do_center_crop": True}
SQUARE = {"size": {"height": SIZE, "width": SIZE}}


def save_steps(folder, steps, file="preprocessor_config.json"):
    (folder / file).write_text(json.dumps(STEPS | steps))


def text(folder, n_positions=300):
    return {"vocab_size": save_tokenizer(folder), "max_position_embeddings": n_positions, "eos_token_id": 2,
            "bos_token_id": 0, "pad_token_id": 1, **LAYERS}  # fmt: skip


def save_clip(folder):
    config = transformers.CLIPConfig(text_config=text(folder), vision_config=PICTURE, projection_dim=12)
    transformers.CLIPModel(config).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 3})


def save_siglip(folder):
    config = transformers.SiglipConfig(text_config=text(folder, 64), vision_config=PICTURE)
    transformers.SiglipModel(config).save_pretrained(folder)
    save_steps(folder, SQUARE | {"resample": 2})


def save_blip(folder):
    queries = {**LAYERS, "vocab_size": 20, "encoder_hidden_size": 16, "cross_attention_frequency": 1}
    config = transformers.Blip2Config(
        vision_config=PICTURE, qformer_config=queries, num_query_tokens=3, image_text_hidden_size=10
    )
    transformers.Blip2VisionModelWithProjection(config).save_pretrained(folder)
    save_steps(folder, SQUARE | {"resample": 3})


def save_git(folder):
    config = transformers.GitConfig(
        vision_config=PICTURE, vocab_size=20, bos_token_id=3, eos_token_id=4, max_position_embeddings=32, **LAYERS
    )
    transformers.GitForCausalLM(config).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 3})


def save_deit(folder):
    transformers.DeiTForImageClassification(transformers.DeiTConfig(**PICTURE)).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 3})


def save_x_clip(folder):
    vision = PICTURE | {"num_frames": 4, "mit_hidden_size": 12, "mit_intermediate_size": 16, "mit_num_hidden_layers": 1,
                        "mit_num_attention_heads": 2}  # fmt: skip
    config = transformers.XCLIPConfig(
        text_config=text(folder), vision_config=vision, projection_dim=12, prompt_num_attention_heads=2
    )
    transformers.XCLIPModel(config).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 2})


def save_videomae(folder):
    config = transformers.VideoMAEConfig(**PICTURE, num_frames=4, decoder_hidden_size=8, decoder_num_hidden_layers=1,
                                         decoder_num_attention_heads=2, decoder_intermediate_size=8)  # fmt: skip
    transformers.VideoMAEForPreTraining(config).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 2})


def save_v_jepa(folder):
    config = transformers.VJEPA2Config(
        crop_size=SIZE, patch_size=8, frames_per_clip=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        pred_hidden_size=16, pred_num_hidden_layers=1, pred_num_attention_heads=2, num_pooler_layers=1,
    )  # fmt: skip
    transformers.VJEPA2Model(config).save_pretrained(folder)
    save_steps(folder, CUT | {"resample": 2}, "video_preprocessor_config.json")


SAVE = {"clip": save_clip, "siglip2": save_siglip, "blip-2": save_blip, "git": save_git, "deit": save_deit,
        "x-clip": save_x_clip, "videomae": save_videomae, "v-jepa2": save_v_jepa}  # fmt: skip


def save_video_model(name, folder, seed=0):
    """Save a random checkpoint of a short name of `features.video.MODELS`; vectors differ well between pictures."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    SAVE[name](folder)
    return folder
