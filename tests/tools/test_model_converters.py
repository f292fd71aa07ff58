import hashlib
from pathlib import Path

import pytest
import torch
from mmpretrain.models import ResNet

from mmrel.registry import MODELS
from mmrel.utils import load_checkpoint_file
from tests.commands import call


def _ressl() -> torch.nn.Module:
    return MODELS.build(
        dict(
            type='ReSSL',
            backbone=dict(type='ResNet', depth=18),
            neck=dict(type='MLPNeck', hidden_channels=32, out_channels=16),
            head=dict(type='RelationHead'),
            memory=dict(type='FeatureQueue', size=64),
        )
    )


def _official() -> dict[str, torch.Tensor]:
    """A file as the authors' program writes it, made with torchvision's names."""
    import torchvision

    state = {}
    for side in 'qk':
        net = torchvision.models.resnet18()
        net.fc = torch.nn.Identity()
        head = torch.nn.ModuleDict(
            dict(linear1=torch.nn.Linear(512, 32), linear2=torch.nn.Linear(32, 16))
        )
        state |= {f'module.encoder_{side}.net.{k}': v for k, v in net.state_dict().items()}
        state |= {f'module.encoder_{side}.head.{k}': v for k, v in head.state_dict().items()}
    state['module.queue'] = torch.randn(16, 64)
    state['module.queue_ptr'] = torch.tensor([24])
    return state


def test_official_checkpoint_becomes_ours(tmp_path: Path) -> None:
    official = _official()
    torch.save(dict(model=official, optimizer=dict(state={}), epoch=199), tmp_path / 'src.pth')
    call(
        'model_converters/official_to_mmrel.py', 'ressl', tmp_path / 'src.pth', tmp_path / 'dst.pth'
    )
    converted = load_checkpoint_file(tmp_path / 'dst.pth')
    model = _ressl()
    model.load_state_dict(converted['state_dict'])  # strict: nothing missing, nothing left over
    assert converted['meta']['official_epoch'] == 199
    for ours, theirs in (
        (model.backbone.layer3[0].conv1.weight, 'module.encoder_q.net.layer3.0.conv1.weight'),
        (model.teacher.neck.mlp[2].bias, 'module.encoder_k.head.linear2.bias'),
        (model.memory.read(), 'module.queue'),
        (model.memory.pointer, 'module.queue_ptr'),
    ):
        torch.testing.assert_close(ours.data, official[theirs], rtol=0, atol=0)


def _official_wcl() -> dict[str, torch.Tensor]:
    """The same of WCL: a ResNet, and two heads of three linear layers with BN between."""
    import torchvision

    net = torchvision.models.resnet18()
    net.fc = torch.nn.Identity()
    state = {f'module.net.{k}': v for k, v in net.state_dict().items()}
    for i in (1, 2):
        head = torch.nn.ModuleDict(
            dict(
                linear1=torch.nn.Linear(512, 32),
                bn1=torch.nn.BatchNorm1d(32),
                linear2=torch.nn.Linear(32, 32),
                bn2=torch.nn.BatchNorm1d(32),
                linear3=torch.nn.Linear(32, 16),
            )
        )
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter)
        state |= {f'module.head{i}.{k}': v for k, v in head.state_dict().items()}
    return state


def test_official_wcl_becomes_ours(tmp_path: Path) -> None:
    official = _official_wcl()
    torch.save(dict(model=official, optimizer=dict(state={}), epoch=99), tmp_path / 'src.pth')
    call('model_converters/official_to_mmrel.py', 'wcl', tmp_path / 'src.pth', tmp_path / 'dst.pth')
    converted = load_checkpoint_file(tmp_path / 'dst.pth')
    model = MODELS.build(
        dict(
            type='WCL',
            backbone=dict(type='ResNet', depth=18),
            neck=dict(
                type='MLPNeck',
                num_layers=3,
                hidden_channels=32,
                out_channels=16,
                norm_cfg=dict(type='BN1d'),
            ),
            head=dict(type='InstanceContrastHead'),
            graph_head=dict(type='WeakLabelContrastHead'),
        )
    ).eval()
    model.load_state_dict(converted['state_dict'])  # strict: nothing missing, nothing left over
    feature = torch.randn(4, 512)
    for neck, number in ((model.neck, 1), (model.graph_neck, 2)):
        x = feature  # through the official head, layer by layer
        for i in (1, 2, 3):
            layer = {k: official[f'module.head{number}.linear{i}.{k}'] for k in ('weight', 'bias')}
            x = torch.nn.functional.linear(x, **layer)
            if i < 3:
                keys = ('running_mean', 'running_var', 'weight', 'bias')
                bn = [official[f'module.head{number}.bn{i}.{k}'] for k in keys]
                x = torch.nn.functional.batch_norm(x, *bn).relu()
        torch.testing.assert_close(neck(feature)[0], x)


def _official_simmatch() -> dict[str, torch.Tensor]:
    """The same of SimMatch: two networks of three parts, the bank and the alignment."""
    import torchvision

    state = {}
    for side in ('main', 'ema'):
        net = torchvision.models.resnet18()
        net.fc = torch.nn.Identity()
        parts = torch.nn.ModuleDict(
            dict(
                backbone=net,
                fc=torch.nn.Linear(512, 7),
                head=torch.nn.Sequential(
                    torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 16)
                ),
            )
        )
        state |= {f'module.{side}.{k}': v for k, v in parts.state_dict().items()}
    state['module.bank'] = torch.randn(16, 30)
    state['module.labels'] = torch.randint(0, 7, (30,))
    state['module.DA_queue'] = torch.rand(12, 7)
    state['module.DA_ptr'] = torch.tensor([5])
    return state


def test_official_simmatch_becomes_ours(tmp_path: Path) -> None:
    official = _official_simmatch()
    content = dict(epoch=400, arch='resnet50', state_dict=official, optimizer=dict(state={}))
    torch.save(content, tmp_path / 'src.pth')
    output = call(
        'model_converters/official_to_mmrel.py', 'simmatch', tmp_path / 'src.pth',
        tmp_path / 'dst.pth',
    )  # fmt: skip
    assert f'{len(official)} entries' in output
    converted = load_checkpoint_file(tmp_path / 'dst.pth')
    model = MODELS.build(
        dict(
            type='SimMatch',
            backbone=dict(type='ResNet', depth=18),
            num_classes=7,
            head=dict(type='PseudoLabelHead'),
            neck=dict(type='MLPNeck', hidden_channels=512, out_channels=16),
            instance_head=dict(type='SimilarityMatchingHead'),
            memory=dict(type='LabeledBank', size=30),
            alignment=dict(type='DistributionAlignment', size=12),
        )
    ).eval()
    model.load_state_dict(converted['state_dict'])  # strict: nothing missing, nothing left over
    assert converted['meta']['official_epoch'] == 400
    # What the two networks compute, by the official weights alone.
    feature = torch.randn(4, 512)
    for modules, side in ((model, 'main'), (model.teacher, 'ema')):
        layer = {
            name: [official[f'module.{side}.{name}.{part}'] for part in ('weight', 'bias')]
            for name in ('fc', 'head.0', 'head.2')
        }
        linear = torch.nn.functional.linear
        torch.testing.assert_close(modules.classifier(feature), linear(feature, *layer['fc']))
        hidden = linear(feature, *layer['head.0']).relu()
        torch.testing.assert_close(modules.neck(feature)[0], linear(hidden, *layer['head.2']))
        key = 'layer3.0.conv1.weight'
        torch.testing.assert_close(
            modules.backbone.state_dict()[key], official[f'module.{side}.backbone.{key}']
        )
    bank, labels = model.memory.read()
    for ours, theirs in (
        (bank, 'bank'),
        (labels, 'labels'),
        (model.alignment.queue, 'DA_queue'),
        (model.alignment.pointer, 'DA_ptr'),
    ):
        torch.testing.assert_close(ours, official[f'module.{theirs}'], rtol=0, atol=0)


def _official_vitas_supernet(heads: int = 4) -> dict[str, torch.Tensor]:
    """The same of a super-transformer: 2 patch sizes on 16 px, 3 blocks, widths 20 / 1440 / 32."""
    net, shapes = 'module.net.backbone', {}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    for k, patch in enumerate((4, 8)):
        stem = f'{net}_init_stem_Patch_init_0.{k}'
        shapes[f'{stem}.cls_token'] = (1, 1, 20)
        shapes[f'{stem}.pos_embed'] = (1, (16 // patch) ** 2 + 1, 20)
        layer(f'{stem}.patch_embed.proj', 20, 3, patch, patch)
    for i in range(3):
        block = f'{net}_Block_id_{i}.0'
        for k in range(heads):
            layer(f'{block}.attn.qk{k}', 960, 20)
        layer(f'{block}.attn.v', 480, 20)
        layer(f'{block}.attn.proj', 20, 480)
        layer(f'{block}.mlp.fc1', 32, 20)
        layer(f'{block}.mlp.fc2', 20, 32)
        layer(f'{block}.norm1', 20)
        layer(f'{block}.norm2', 20)
    layer(f'{net}_Norm_Norm_0.0', 20)
    layer(f'{net}_FC_FC_0.0.module.0', 5, 20)
    return {key: torch.randn(shape) for key, shape in shapes.items()}


def _vitas_supernet(**space: object) -> torch.nn.Module:
    settings = dict(
        type='ViTASSpace',
        image_size=16,
        patch_sizes=(4, 8),
        embed_dims=20,
        mlp_dims=32,
        depth=3,
        num_classes=5,
    )
    return MODELS.build(
        dict(
            type='ViTAS',
            space=dict(settings, **space),
            backbone=dict(type='ViTASSupernet'),
            head=dict(type='SlicedLinearClsHead'),
        )
    )


def test_official_vitas_supernet_becomes_ours(tmp_path: Path) -> None:
    official = _official_vitas_supernet()
    torch.save(dict(model=official, optimizer=dict(state={}), epoch=299), tmp_path / 'src.pth')
    call(
        'model_converters/official_to_mmrel.py', 'vitas', tmp_path / 'src.pth', tmp_path / 'dst.pth'
    )
    state = load_checkpoint_file(tmp_path / 'dst.pth')['state_dict']
    model = _vitas_supernet()
    model.load_state_dict(state)  # strict, the space included
    net = 'module.net.backbone'
    for ours, theirs in (
        (model.backbone.stems[1].pos_embed, '_init_stem_Patch_init_0.1.pos_embed'),
        (model.backbone.stems[0].patch_embed.projection.bias,
         '_init_stem_Patch_init_0.0.patch_embed.proj.bias'),
        (model.backbone.blocks[2].attn.qk[3].weight, '_Block_id_2.0.attn.qk3.weight'),
        (model.backbone.blocks[1].mlp.fc2.weight, '_Block_id_1.0.mlp.fc2.weight'),
        (model.backbone.norm.bias, '_Norm_Norm_0.0.bias'),
        (model.head.fc.weight, '_FC_FC_0.0.module.0.weight'),
    ):  # fmt: skip
        torch.testing.assert_close(ours.data, official[net + theirs], rtol=0, atol=0)
    assert model.sampler.state.tolist() == [0, 0]
    with pytest.raises(ValueError, match='another search space'):
        _vitas_supernet(patch_sizes=(8, 4)).load_state_dict(state)


def test_official_searched_vit_becomes_ours(tmp_path: Path) -> None:
    net, shapes = 'module.net.backbone', {}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{net}_{name}.weight'] = shape
        shapes[f'{net}_{name}.bias'] = shape[:1]

    shapes[f'{net}_init_stem_Patch_init_0.0.cls_token'] = (1, 1, 6)
    shapes[f'{net}_init_stem_Patch_init_0.0.pos_embed'] = (1, 5, 6)
    layer('init_stem_Patch_init_0.0.patch_embed.proj', 6, 3, 8, 8)
    block = 'Block_id_1.0'  # block 0 is an identity
    for name, shape in (
        ('norm1', (6,)), ('norm2', (6,)), ('attn.qkv', (12, 6)), ('attn.proj', (6, 4)),
        ('mlp.fc1', (7, 6)), ('mlp.fc2', (6, 7)),
    ):  # fmt: skip
        layer(f'{block}.{name}', *shape)
    layer('Norm_Norm_0.0', 6)
    layer('FC_FC_0.0.module.0', 3, 6)
    official = {key: torch.randn(shape) for key, shape in shapes.items()}
    torch.save(dict(model=official), tmp_path / 'src.pth')
    call(
        'model_converters/official_to_mmrel.py', 'vitas', tmp_path / 'src.pth', tmp_path / 'dst.pth'
    )
    blocks = [None, dict(num_heads=2, qkv_dims=12, mlp_dims=7)]
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='SearchedViT', embed_dims=6, blocks=blocks, img_size=16, patch_size=8
            ),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=6),
        )
    )
    model.load_state_dict(load_checkpoint_file(tmp_path / 'dst.pth')['state_dict'])
    assert torch.equal(
        model.backbone.blocks[1].attn.qkv.weight, official[f'{net}_{block}.attn.qkv.weight']
    )


@pytest.mark.parametrize(
    ('method', 'content', 'message'),
    [
        (
            'vitas',
            dict(model={'module.net.backbone_Block_id_0.0.attn.kv.bias': torch.zeros(1)}),
            'Block_id_0.0.attn.kv.bias',
        ),
        ('vitas', dict(model=_official_vitas_supernet(heads=3)), 'has 3 head choices'),
        ('ressl', dict(state_dict={}), "the checkpoint has no 'model'"),
        (
            'ressl',
            dict(model={'module.encoder_q.fc.weight': torch.zeros(1)}),
            'encoder_q.fc.weight',
        ),
        ('wcl', dict(model={'module.encoder_q.net.bn1.bias': torch.zeros(1)}), 'encoder_q.net.bn1'),
        ('simmatch', dict(model={}), "the checkpoint has no 'state_dict'"),
        (
            'simmatch',
            dict(state_dict={'module.main.head.1.bias': torch.zeros(1)}),
            'main.head.1.bias',
        ),
        ('wcl', dict(model={'module.head3.linear1.bias': torch.zeros(1)}), 'head3.linear1.bias'),
    ],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, method: str, content: dict, message: str
) -> None:
    torch.save(content, tmp_path / 'src.pth')
    output = call(
        'model_converters/official_to_mmrel.py', method, tmp_path / 'src.pth',
        tmp_path / 'dst.pth', fails=True,
    )  # fmt: skip
    assert message in output
    assert not (tmp_path / 'dst.pth').exists()


def test_published_file_is_what_others_load(tmp_path: Path) -> None:
    model = _ressl()
    content = dict(meta=dict(epoch=3, cfg='...'), state_dict=model.state_dict(), optimizer={})
    torch.save(content, tmp_path / 'epoch_3.pth')
    call('model_converters/publish_model.py', tmp_path / 'epoch_3.pth', tmp_path / 'out.pth')
    (path,) = tmp_path.glob('out-*.pth')
    digest = path.stem.removeprefix('out-')
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest)
    assert len(digest) == 8
    published = load_checkpoint_file(path)
    assert all(k.startswith('backbone.') for k in published['state_dict'])
    init = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
    other = ResNet(18, init_cfg=init)
    other.init_weights()
    for key, value in model.backbone.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=0, atol=0, msg=key)
    assert set(other.state_dict()) == {
        k.removeprefix('backbone.') for k in published['state_dict']
    }  # no key left over


def test_publishing_a_file_without_a_backbone(tmp_path: Path) -> None:
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), tmp_path / 'a.pth')
    output = call(
        'model_converters/publish_model.py', tmp_path / 'a.pth', tmp_path / 'b.pth', fails=True
    )
    assert "no key of the checkpoint starts with 'backbone.'" in output
