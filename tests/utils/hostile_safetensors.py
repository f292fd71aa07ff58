"""Hostile and damaged .safetensors files for tests, written byte by byte."""

import json
import struct
from collections.abc import Mapping

import numpy as np
from torch import Tensor


def packed(header: bytes | dict, data: bytes = b'', length: int | None = None) -> bytes:
    """A file with this header, whatever it says of its data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(raw) if length is None else length) + raw + data


def entry(begin: int, end: int, shape: list | None = None, dtype: str = 'F32') -> dict:
    """What a header says of a tensor; by default a vector of its bytes."""
    shape = [(end - begin) // 4] if shape is None else shape
    return dict(dtype=dtype, shape=shape, data_offsets=[begin, end])


def _states(state: Mapping[str, Tensor], values: Mapping[str, np.ndarray]) -> bytes:
    """A state dict, with some arrays in place of its tensors."""
    header, data = {}, b''
    names = {'float32': 'F32', 'int64': 'I64'}
    for key, value in state.items():
        array = values.get(key, value.numpy())
        raw = np.ascontiguousarray(array).tobytes()
        begin, end = len(data), len(data) + len(raw)
        header[key] = entry(begin, end, list(array.shape), names[str(array.dtype)])
        data += raw
    return packed(header, data)


def hostile_safetensors(state: Mapping[str, Tensor], first: str) -> dict[str, bytes]:
    """Contents that must be refused, by what is wrong with them.

    Args:
        state (Mapping): A model's weights, float32 and int64.
        first (str): Key of a weight in it.
    """
    one = dict(w=entry(0, 16))
    whole = _states(state, {})
    shape = tuple(state[first].shape)

    def meta(text: str) -> bytes:
        return packed(dict(one, __metadata__=dict(meta=text)), bytes(16))

    contents = {
        'header longer than the file': packed(one, bytes(16), 10**6),
        'header of 2**64 bytes': packed(one, bytes(16), 2**64 - 1),
        'header of 100 MB': packed(b'{}', bytes(16), 10**8),
        'header bomb': packed(b'{"w":' + b'[' * 10**5 + b']' * 10**5 + b'}'),
        'many entries': packed(
            b'{' + b','.join(b'"%d":{}' % i for i in range(900_000)) + b'}', b''
        ),
        'header is not JSON': packed(b'{"w": code()}', bytes(16)),
        'header is a list': packed(b'[1, 2]    ', bytes(16)),
        'header is cut': packed(json.dumps(one).encode()[:-4], bytes(16)),
        'eight bytes': struct.pack('<Q', 0),
        'three bytes': b'abc',
        'text': b'hello, this is not a checkpoint\n',
        'a pickle': b'\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.' + bytes(16),
        'cut at the end': whole[:-40],
        'bytes that no tensor owns': packed(one, bytes(20)),
        'offsets beyond the file': packed(dict(w=entry(0, 4000)), bytes(16)),
        'offsets that go back': packed(dict(w=entry(16, 0, [4])), bytes(16)),
        'negative offsets': packed(dict(w=entry(-16, 0, [4])), bytes(16)),
        'overlapping tensors': packed(dict(w=entry(0, 16), v=entry(8, 24)), bytes(24)),
        'a tensor twice': packed(
            b'{"w":' + json.dumps(entry(0, 16)).encode() + b',"w":'
            + json.dumps(entry(0, 16)).encode() + b'}', bytes(16),
        ),
        'shape that does not fit': packed(dict(w=entry(0, 16, [5])), bytes(16)),
        'shape that overflows': packed(dict(w=entry(0, 16, [2**62, 8])), bytes(16)),
        'empty shape that overflows': packed(dict(w=entry(0, 0, [0, 2**62, 2**62]))),
        'shape with texts': packed(dict(w=entry(0, 16, ['4'])), bytes(16)),
        'a thousand dimensions': packed(dict(w=entry(0, 4, [1] * 1000)), bytes(4)),
        'unknown dtype': packed(dict(w=entry(0, 16, dtype='PICKLE')), bytes(16)),
        'dtype of another size': packed(dict(w=entry(0, 16, dtype='F64')), bytes(16)),
        'entry without offsets': packed(dict(w=dict(dtype='F32', shape=[4])), bytes(16)),
        'metadata of numbers': packed(dict(one, __metadata__=dict(meta=1)), bytes(16)),
        'metadata is a list': packed(dict(one, __metadata__=['meta']), bytes(16)),
        'meta is not JSON': meta('{"epoch": os.system("true")}'),
        'meta is a list': meta('[1]'),
        'meta with NaN': meta('{"x": NaN}'),
        'meta with a key twice': meta('{"epoch": 1, "epoch": 2}'),
        'meta bomb': meta('{"x":' + '[' * 10**5 + ']' * 10**5 + '}'),
        'meta of a huge number': meta('{"epoch": ' + '9' * 5000 + '}'),
        'epoch is a text': meta('{"epoch": "1; import os"}'),
        # Wrong for a model alone.
        'no tensors': packed(b'{}        '),
        'NaN': _states(state, {first: np.full(shape, np.nan, 'float32')}),
        'whole numbers for floats': _states(state, {first: np.zeros(shape, 'int64')}),
    }  # fmt: skip
    return {f'safetensors, {name}': raw for name, raw in contents.items()}
