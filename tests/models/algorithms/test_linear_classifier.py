import pytest
import torch
from torch import nn

from mmrel.registry import MODELS

BACKBONES = {
    'resnet': dict(type='ResNetSmallImage', depth=18, stem_channels=4, base_channels=4),
    'mobilenet': dict(type='MobileNetV2', widen_factor=0.1),
    'vit': dict(
        type='VisionTransformer',
        arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48),
        img_size=32,
        patch_size=8,
    ),
}


def _build(backbone: str, **head) -> nn.Module:
    return MODELS.build(
        dict(
            type='LinearClassifier',
            backbone=BACKBONES[backbone],
            head=dict(
                type='LinearClsHead', num_classes=3, loss=dict(type='CrossEntropyLoss'), **head
            ),
        )
    )


@pytest.mark.parametrize('backbone', BACKBONES)
def test_only_the_head_learns_and_it_is_a_linear_map_of_pooled_features(backbone: str) -> None:
    model = _build(backbone).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    images = torch.randn(6, 3, 32, 32)
    logits = model(images)
    outputs = model.backbone(images)[-1]
    pooled = outputs.mean((2, 3)) if outputs.ndim == 4 else outputs
    torch.testing.assert_close(logits, model.head.fc(pooled))
    torch.testing.assert_close(model.extract_feat(images, 'pre_logits'), pooled)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    nn.functional.cross_entropy(logits, torch.arange(6) % 3).backward()
    optimizer.step()
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {'head.fc.weight', 'head.fc.bias'}


def test_a_width_that_is_not_the_backbones_is_refused() -> None:
    with pytest.raises(ValueError, match=r'model\.head\.in_channels=33.*has 32'):
        _build('resnet', in_channels=33)
