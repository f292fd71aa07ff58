"""The stand-alone network of a MobileNetV2-SE path against functions of torch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrel.models.backbones import SearchedMobileNetV2


def _layer(out: int, stride: int, squeeze: int = 0, kernel: int = 3) -> dict:
    return dict(
        out_channels=out,
        hidden_channels=6,
        kernel_size=kernel,
        stride=stride,
        squeeze_channels=squeeze,
    )


# Without a residual for three reasons (both, stride, channels), and with one.
BLOCKS = [
    _layer(6, 2, squeeze=2),
    None,
    _layer(6, 1, squeeze=3, kernel=5),
    _layer(6, 1),
    _layer(6, 2),
    _layer(5, 1),
]
RESIDUAL = (2, 3)


class _Slow:
    """The network from its state dict, with running statistics."""

    def __init__(self, model: nn.Module) -> None:
        self.state = model.state_dict()

    def conv(self, x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        """Convolution and norm."""
        weight = self.state[f'{name}.weight']
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, groups)
        names = ('running_mean', 'running_var', 'weight', 'bias')
        mean, var, scale, shift = (self.state[f'{name}_norm.{key}'][:, None, None] for key in names)
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    def layer(self, x: Tensor, i: int) -> Tensor:
        """One layer of ``BLOCKS``."""
        block, name = BLOCKS[i], f'layers.{i}'
        if block is None:
            return x
        y = self.conv(x, f'{name}.expand').clamp(0, 6)
        y = self.conv(y, f'{name}.depthwise', block['stride'], 6).clamp(0, 6)
        if block['squeeze_channels']:
            part = {key: self.state[f'{name}.{key}'] for key in
                    ('reduce.weight', 'reduce.bias', 'restore.weight', 'restore.bias')}  # fmt: skip
            gate = y.mean((2, 3)) @ part['reduce.weight'].T + part['reduce.bias']
            gate = gate.clamp(min=0) @ part['restore.weight'].T + part['restore.bias']
            y = y / (1 + (-gate).exp())[:, :, None, None]
        y = self.conv(y, f'{name}.project')
        return x + y if i in RESIDUAL else y

    def __call__(self, x: Tensor) -> Tensor:
        """The last map."""
        x = self.conv(x, 'stem', 2).clamp(0, 6)
        x = self.conv(self.conv(x, 'depthwise', 1, 4).clamp(0, 6), 'project')
        for i in range(len(BLOCKS)):
            x = self.layer(x, i)
        return self.conv(x, 'last').clamp(0, 6)


@torch.no_grad()
def test_it_computes_what_its_text_says() -> None:
    model = SearchedMobileNetV2(BLOCKS, stem_channels=4, first_channels=4, last_channels=7)
    for key, value in model.double().state_dict().items():
        if key.endswith('running_var'):
            nn.init.uniform_(value, 0.5, 2)
        elif value.is_floating_point():
            nn.init.normal_(value, std=0.5)
    image = torch.randn(2, 3, 18, 22, dtype=torch.float64) * 3
    (last,) = model.eval()(image)
    assert last.shape == (2, 7, 3, 3)
    torch.testing.assert_close(last, _Slow(model)(image))


@pytest.mark.parametrize(
    ('block', 'message'),
    [
        (dict(_layer(8, 2), kernel_size=4), r'blocks\[0\]\.kernel_size=4 must be odd'),
        (dict(_layer(8, 2), stride=0), r'blocks\[0\]\.stride=0 must be an integer of at least 1'),
        (dict(out_channels=8), r"blocks\[0\]=\{'out_channels': 8\} must be None or have"),
    ],
)
def test_layers_that_do_not_fit_are_refused(block: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchedMobileNetV2([block])
