"""Checkpoints as .safetensors: what is written comes back, whoever reads it."""

import io
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmrel.utils import load_checkpoint_file, save_safetensors
from tests.utils.hostile_safetensors import entry, packed

META = dict(
    epoch=3, results=dict(knn=61.5, classes=['a', 'b']), mmrel_version='1.0', note=None, ok=True
)


def _state() -> dict[str, torch.Tensor]:
    weight = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    return {
        'backbone.weight': weight,
        'backbone.tied': weight,  # the same memory
        'backbone.part': weight[1:3],
        'backbone.turned': torch.randn(2, 5).t(),
        'backbone.half': torch.randn(3).half(),
        'backbone.bf16': torch.randn(3).bfloat16(),
        'backbone.count': torch.tensor(7),
        'backbone.mask': torch.tensor([True, False]),
        'backbone.none': torch.zeros(0, 3),
    }


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    state, path = _state(), tmp_path / 'new' / 'x.safetensors'
    save_safetensors(dict(state_dict=state, meta=META), path)
    for loaded in (
        load_checkpoint_file(path),
        CheckpointLoader.load_checkpoint(str(path), map_location='cpu'),
        load_checkpoint_file(io.BytesIO(path.read_bytes())),
    ):
        assert loaded['meta'] == META
        assert sorted(loaded['state_dict']) == sorted(state)
        for key, value in state.items():
            read = loaded['state_dict'][key]
            assert read.dtype == value.dtype
            assert read.is_contiguous()
            assert torch.equal(read, value)
    assert all(
        torch.equal(value, state[key]) for key, value in safetensors.torch.load_file(path).items()
    )


def test_equal_contents_give_equal_files(tmp_path: Path) -> None:
    content = dict(state_dict=_state(), meta=META)
    for name in 'ab':
        save_safetensors(content, tmp_path / f'{name}.safetensors')
    first, second = ((tmp_path / f'{name}.safetensors').read_bytes() for name in 'ab')
    assert first == second
    keys = [list(load_checkpoint_file(io.BytesIO(first))['state_dict']) for _ in range(3)]
    assert keys[0] == keys[1] == keys[2]


def test_files_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / 'timm.safetensors'
    safetensors.torch.save_file({'w': torch.ones(2)}, path, {'format': 'pt', 'epoch': 'last'})
    loaded = load_checkpoint_file(path)
    assert loaded['meta'] == {}
    assert torch.equal(loaded['state_dict']['w'], torch.ones(2))
    path.rename(tmp_path / 'named.pth')  # the content decides
    assert list(load_checkpoint_file(tmp_path / 'named.pth')['state_dict']) == ['w']
    torch.save(dict(state_dict={'v': torch.ones(1)}), path)
    assert list(load_checkpoint_file(path)['state_dict']) == ['v']


def test_a_header_that_begins_like_a_pickle_is_read() -> None:
    """A header of 128 bytes: the file's first byte is a pickle's."""
    raw = packed(dict(w=entry(0, 8)))[8:].ljust(128)
    file = packed(raw, bytes(8))
    assert file[:1] == b'\x80'
    assert torch.equal(load_checkpoint_file(io.BytesIO(file))['state_dict']['w'], torch.zeros(2))


def test_map_location_is_followed(tmp_path: Path) -> None:
    path = tmp_path / 'x.safetensors'
    save_safetensors(dict(state_dict={'w': torch.ones(2, 3)}), path)
    meta = load_checkpoint_file(path, 'meta')['state_dict']['w']
    assert (meta.device.type, meta.shape) == ('meta', (2, 3))
    for location in (
        None,
        {'cpu': 'cpu'},
        lambda storage, place: storage.clone(),
        torch.device('cpu'),
    ):
        assert torch.equal(
            load_checkpoint_file(path, location)['state_dict']['w'], torch.ones(2, 3)
        )


def test_bools_are_true_or_false() -> None:
    file = packed(dict(m=entry(0, 2, [2], 'BOOL')), b'\x07\x00')
    mask = load_checkpoint_file(io.BytesIO(file))['state_dict']['m']
    assert torch.equal(mask, torch.tensor([True, False]))


@pytest.mark.parametrize(
    ('state', 'meta', 'message'),
    [
        ({'x': 3}, {}, 'only tensors; x is of type int'),
        ({'x': torch.eye(2).to_sparse()}, {}, 'only dense tensors; x is sparse'),
        ({'x': torch.zeros(2, dtype=torch.complex128)}, {}, 'cannot be written as safetensors'),
        ({}, dict(x=dict(y={1: 2})), r'meta\.x\.y: the key 1 must be a string'),
        ({}, dict(x=float('nan')), 'cannot be written as safetensors: .*not JSON compliant'),
        ({}, dict(x=torch.zeros(1)), 'cannot be written as safetensors: .*Tensor'),
    ],
)
def test_what_cannot_be_written_is_named(
    tmp_path: Path, state: dict, meta: dict, message: str
) -> None:
    path = tmp_path / 'x.safetensors'
    path.write_text('old')
    with pytest.raises(ValueError, match=message):
        save_safetensors(dict(state_dict=state, meta=meta), path)
    assert path.read_text() == 'old'


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.pth' must end in \.safetensors"):
        save_safetensors(dict(state_dict={}), tmp_path / 'x.pth')


def test_random_bytes_give_our_errors_alone(tmp_path: Path) -> None:
    save_safetensors(dict(state_dict=_state(), meta=META), tmp_path / 'x.safetensors')
    whole, draw = (tmp_path / 'x.safetensors').read_bytes(), random.Random(0)
    header, refusals = int.from_bytes(whole[:8], 'little'), []
    for _ in range(600):
        raw = bytearray(whole)
        for _ in range(draw.choice((1, 2, 8))):
            raw[draw.randrange(header + 8)] = draw.choice(b'0129[]{}",:\\ n\x00\xff')
        try:
            load_checkpoint_file(io.BytesIO(bytes(raw)))
        except RuntimeError as error:
            refusals.append(str(error))
    assert len(refusals) > 300
    assert not any('\n' in text for text in refusals)
