"""Log-mel frames, the input of the small networks.

There is a frame every 20 ms, at one loudness.
"""

import torch
import transformers.audio_utils

SAMPLE_RATE = 22050  # Hz
HOP = 441  # samples: 20 ms
N_FFT = 1024
N_MELS = 64
FLOOR = -8.0  # of the natural logarithm of power, relative to the mean over what is shown
FRAMES_PER_S = SAMPLE_RATE // HOP


def log_mel(waveforms: torch.Tensor) -> torch.Tensor:
    """Return log-mel power of waveforms, a frame every 20 ms.

    (n, n_samples) at `SAMPLE_RATE` becomes (n, n_frames, 64). Frame k is of the 46 ms around sample ``441 k``; there
    are ``n_samples // 441`` of them.
    """
    spectrum = torch.stft(
        waveforms, N_FFT, HOP, window=torch.hann_window(N_FFT, device=waveforms.device), return_complex=True,
        pad_mode="constant",
    )  # fmt: skip
    spectrum = spectrum[..., : waveforms.shape[1] // HOP]
    power = spectrum.real.square() + spectrum.imag.square()  # the root of abs() takes as long as the transform
    return torch.log(power.transpose(1, 2) @ _bands(waveforms.device) + 1e-10)


def same_loudness(frames: torch.Tensor) -> torch.Tensor:
    """Divide power by its mean over all frames and bands of an excerpt.

    (n, n_frames, 64), in logarithms. A gain, whatever it is, changes nothing; what is 35 dB below the mean or more is
    set to that.
    """
    mean = torch.logsumexp(frames.flatten(1), dim=1) - torch.log(torch.tensor(float(frames[0].numel())))
    return torch.clamp(frames - mean[:, None, None], min=FLOOR)


def _bands(device: torch.device) -> torch.Tensor:
    bands = transformers.audio_utils.mel_filter_bank(
        N_FFT // 2 + 1, N_MELS, 30.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    )
    return torch.as_tensor(bands, dtype=torch.float32, device=device)
