"""Hostile and damaged checkpoints for tests: each sets a sentinel if anything of it runs."""

import io
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tests.utils.hostile_safetensors import hostile_safetensors
from tests.utils.pickle_opcodes import (
    array_pickle,
    dict_pickle,
    op_dtype,
    op_global,
    op_int,
    op_text,
    op_tuple,
    tensor_pickle,
)

SENTINEL = 'MMREL_HOSTILE_RAN'
_RUN = f'import os; os.environ[{SENTINEL!r}] = "1"'


class _Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable, *args: object, state: object = None) -> None:
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> tuple:
        return self.parts


def _saved(content: object, **kwargs: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **kwargs)
    return buffer.getvalue()


def _zip(
    pkl: bytes, data: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED
) -> bytes:
    """A file of torch.save with a pickle of our own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', method) as archive:
        archive.writestr('a/data.pkl', pkl)
        archive.writestr('a/byteorder', b'little')
        archive.writestr('a/version', b'3\n')
        for key, value in (data or {}).items():
            archive.writestr(f'a/data/{key}', value)
    return buffer.getvalue()


def _laughs(depth: int) -> bytes:
    """A list of two references to a list of two references ..."""
    ops = b']q\x00'
    for level in range(1, depth):
        ops += b']q' + bytes([level]) + b'(' + (b'h' + bytes([level - 1])) * 2 + b'e'
    return dict_pickle('meta', b'}' + op_text('x') + b'(' + ops + b't' + b's')


def _key_bomb(depth: int) -> bytes:
    """A key of a dict whose hash takes 2**depth steps."""
    ops = b')q\x00' + b''.join(
        b'h' + bytes([i]) + b'h' + bytes([i]) + b'\x86q' + bytes([i + 1]) for i in range(depth)
    )
    return b'\x80\x02}' + b'(' + ops + b't' + b'N' + b's.'


def _with_record(good: bytes, name: str, value: bytes) -> bytes:
    """A good file, a record of it replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as source, zipfile.ZipFile(buffer, 'w') as target:
        for info in source.infolist():
            raw = source.read(info)
            target.writestr(info.filename, value if info.filename.endswith(name) else raw)
    return buffer.getvalue()


def _bomb(size: int) -> bytes:
    """A small zip whose storage unpacks to ``size`` zeros."""
    return _zip(tensor_pickle((size // 4,), (1,), 0, size // 4), {'0': bytes(size)},
                zipfile.ZIP_DEFLATED)  # fmt: skip


def hostile_files(good: dict, folder: Path) -> dict[str, Path]:
    """Write files that must be refused by every entry point.

    Args:
        good (dict): A checkpoint that is none of them.
        folder (Path): Where to.

    Returns:
        dict[str, Path]: Files by what is wrong with them.
    """
    whole = _saved(good)
    state = good['state_dict']
    first = next(key for key in state if key.startswith('backbone.') and key.endswith('weight'))

    def gadget(function: Callable, *args: object, **kwargs: object) -> bytes:
        return _saved(dict(good, extra=_Call(function, *args, **kwargs)))

    def named(name: str, *args: str) -> bytes:
        call = op_global(name) + op_tuple(*map(op_text, args)) + b'R'
        return _zip(dict_pickle('state_dict', call))

    def weights(value: object) -> bytes:
        return _saved(dict(good, state_dict={**state, first: value}))

    def meta(**entries: object) -> bytes:
        return _saved(dict(good, meta={**good['meta'], **entries}))

    def runtime(**entries: object) -> bytes:
        hub = good['message_hub']
        return _saved(
            dict(good, message_hub=dict(hub, runtime_info={**hub['runtime_info'], **entries}))
        )

    value = state[first]
    nan, inf = value.clone(), value.clone()
    nan.view(-1)[0], inf.view(-1)[-1] = float('nan'), float('inf')
    shell = f'{os.sys.executable} -c "open({str(folder / "ran")!r}, chr(119))"'
    contents: dict[str, bytes] = {
        # Code.
        'os.system': gadget(os.system, shell),
        'os.system, legacy': _saved(
            dict(good, extra=_Call(os.system, shell)), _use_new_zipfile_serialization=False
        ),
        'os.system, protocol 4': _saved(
            dict(good, extra=_Call(os.system, shell)), pickle_protocol=4
        ),
        'os.system, bare pickle': pickle.dumps(_Call(os.system, shell)),
        'exec': gadget(exec, _RUN),
        'eval': gadget(eval, f'exec({_RUN!r})'),
        'posix.system': named('posix.system', shell),
        'subprocess.getoutput': named('subprocess.getoutput', shell),
        'importlib.import_module': named('importlib.import_module', 'antigravity'),
        'builtins.__import__': named('builtins.__import__', 'antigravity'),
        'runpy.run_path': named('runpy.run_path', str(folder / 'x.py')),
        'python 2 name of builtins': named('__builtin__.eval', _RUN),
        'operator.attrgetter': named('operator.attrgetter', 'system'),
        'pickle.loads': named('pickle.loads', 'x'),
        'torch.load': named('torch.serialization.load', 'x.pth'),
        'mmengine Config': named('mmengine.config.Config.fromfile', 'x.py'),
        'numpy.load': named('numpy.load', 'x.npy'),
        'torch.hub': named('torch.hub.load', 'a/b', 'c'),
        'getattr chain': _zip(
            dict_pickle(
                'x',
                op_global('builtins.getattr')
                + op_tuple(
                    op_global('mmengine.logging.history_buffer.HistoryBuffer'), op_text('__init__')
                )
                + b'R',
            )
        ),
        'attributes of a list': _zip(dict_pickle('x', b']}' + op_text('append') + b'Nsb')),
        'an old instance': b'\x80\x02(i' + b'os\nsystem\n.',
        'TorchScript': _with_extra(whole, 'constants.pkl'),
        # Memory.
        'array of objects': _zip(
            array_pickle(op_dtype('O8', order='|'), op_tuple(op_int(2)), b'A' * 16)
        ),
        'float64 with fields of objects': _zip(
            array_pickle(
                op_dtype(
                    'f8',
                    b'}' + op_text('o') + op_tuple(op_dtype('O8', order='|'), op_int(0)) + b's',
                ),
                op_tuple(op_int(1)),
                b'A' * 8,
            )
        ),
        'array of raw memory': _zip(
            array_pickle(op_dtype('V8', order='|'), op_tuple(op_int(1)), b'A' * 8)
        ),
        'array larger than its bytes': _zip(
            array_pickle(op_dtype('f8'), op_tuple(op_int(10**9)), b'A' * 8)
        ),
        'array of a negative size': _zip(
            array_pickle(op_dtype('f8'), op_tuple(op_int(-1)), b'A' * 8)
        ),
        'tensor beyond its storage': _zip(tensor_pickle((10**6,), (1,), 0, 4), {'0': bytes(16)}),
        'tensor at a far offset': _zip(tensor_pickle((2,), (1,), 2**40, 4), {'0': bytes(16)}),
        'negative offset': _zip(tensor_pickle((2,), (1,), -8, 4), {'0': bytes(16)}),
        'negative stride': _zip(tensor_pickle((2, 2), (-1, 1), 0, 4), {'0': bytes(16)}),
        'overflowing size': _zip(tensor_pickle((2**62, 8), (1, 2**61), 0, 4), {'0': bytes(16)}),
        'endless by stride 0': _zip(tensor_pickle((2**40,), (0,), 0, 4), {'0': bytes(16)}),
        'storage shorter than it says': _zip(tensor_pickle((4,), (1,), 0, 4), {'0': bytes(8)}),
        'storage that is missing': _zip(tensor_pickle((4,), (1,), 0, 4)),
        'quantised storage': _zip(tensor_pickle((4,), (1,), 0, 4, 'QInt8'), {'0': bytes(4)}),
        'sparse tensor': _saved(dict(good, extra=torch.eye(3).to_sparse())),
        'huge bytearray': _zip(
            dict_pickle('x', op_global('builtins.bytearray') + op_tuple(op_int(2**45)) + b'R')
        ),
        'huge storage': _zip(
            dict_pickle(
                'x', op_global('torch.storage.UntypedStorage') + op_tuple(op_int(2**45)) + b'R'
            )
        ),
        'zip bomb': _bomb(3 * 10**7),
        'pickle bomb': _zip(
            dict_pickle('x', op_text('a' * 3 * 10**7)), method=zipfile.ZIP_DEFLATED
        ),
        'billion laughs': _zip(_laughs(60)),
        'key with 2**60 parts': _zip(_key_bomb(60)),
        'deep nesting': _zip(
            dict_pickle('meta', b'}' + op_text('x') + b']' * 10**4 + b'a' * (10**4 - 1) + b's')
        ),
        'contains itself': _zip(b'\x80\x02}q\x00' + op_text('x') + b'h\x00s.'),
        'memo beyond all memory': _zip(b'\x80\x02}r\xff\xff\xff\xff' + b'j\x01\x00\x00\x00.'),
        'text longer than the file': _zip(b'\x80\x02X\xff\xff\xff\xffabc'),
        # Damage.
        'empty': b'',
        'text': b'hello, this is not a checkpoint\n',
        'html': b'<!DOCTYPE html><html>404</html>',
        'cut in the middle': whole[: len(whole) // 2],
        'cut at the end': whole[:-40],
        'legacy, cut': _saved(good, _use_new_zipfile_serialization=False)[:-100],
        'a bit is flipped': _flipped(whole, state[first]),
        'zip without data': _empty_zip(),
        'pickle of a list': _saved([1, 2]),
        'bare tensor': _saved(torch.zeros(2)),
        'unknown byte order': _with_record(whole, 'byteorder', b'middle'),
        'empty pickle': _zip(b''),
        'noise in a pickle': _zip(bytes(range(256))),
        'gzip': zlib.compress(whole[:1000]),
        # What it says of its run.
        'meta is a list': _saved(dict(good, meta=[1])),
        'epoch is a text': meta(epoch='1; import os'),
        'epoch is negative': meta(epoch=-5),
        'iter is a float': meta(iter=1.5),
        'seed is a text': meta(seed='x'),
        'experiment name is a list': meta(experiment_name=['../..']),
        'dataset_meta is a text': meta(dataset_meta='classes'),
        'keep_ckpt_ids with paths': runtime(keep_ckpt_ids=['../../x']),
        'best_ckpt is a number': runtime(best_ckpt=3),
        'hub is a list': _saved(dict(good, message_hub=[])),
        # Weights.
        'NaN': weights(nan),
        'infinite': weights(inf),
        'whole numbers for floats': weights(torch.zeros(value.shape, dtype=torch.int64)),
        'weights of no tensor': weights('torch.zeros(3)'),
        'weights of an array': weights(np.zeros(3)),
        'weights are a list': _saved(dict(good, state_dict=list(state.values()))),
        'no weights': _saved(dict(good, state_dict={})),
        'keys that are numbers': _saved(dict(good, state_dict=dict(enumerate(state.values())))),
    }
    contents |= hostile_safetensors(state, first)
    files = {}
    for number, (name, raw) in enumerate(contents.items()):
        ending = 'safetensors' if name.startswith('safetensors') else 'pth'
        files[name] = folder / f'{number:02}.{ending}'
        files[name].write_bytes(raw)
    files['folder'] = folder / 'folder.pth'
    files['folder'].mkdir()
    files['missing'] = folder / 'missing.pth'
    files['loop of links'] = folder / 'loop.pth'
    files['loop of links'].symlink_to(files['loop of links'])
    files['pipe'] = folder / 'pipe.pth'
    os.mkfifo(files['pipe'])
    return files


def _with_extra(whole: bytes, name: str) -> bytes:
    buffer = io.BytesIO(whole)
    with zipfile.ZipFile(buffer, 'a') as archive:
        root = archive.namelist()[0].split('/')[0]
        archive.writestr(f'{root}/{name}', b'\x80\x02N.')
    return buffer.getvalue()


def _flipped(whole: bytes, weight: torch.Tensor) -> bytes:
    place = whole.index(weight.contiguous().numpy().tobytes()) + 5
    return whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]


def _empty_zip() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, 'w').close()
    return buffer.getvalue()
