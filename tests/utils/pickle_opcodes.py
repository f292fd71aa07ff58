"""Pickles by hand, opcode by opcode."""

import struct


def op_global(name: str) -> bytes:
    """Push a name."""
    module, _, name = name.rpartition('.')
    return f'c{module}\n{name}\n'.encode()


def op_int(value: int) -> bytes:
    """Push an integer."""
    raw = value.to_bytes((value.bit_length() + 8) // 8 or 1, 'little', signed=True)
    return b'\x8a' + bytes([len(raw)]) + raw


def op_text(value: str) -> bytes:
    """Push a text."""
    return b'X' + struct.pack('<I', len(value.encode())) + value.encode()


def op_tuple(*parts: bytes) -> bytes:
    """Push a tuple of pushed values."""
    return b'(' + b''.join(parts) + b't'


def dict_pickle(key: str, value: bytes) -> bytes:
    """A pickle of a dict with one pushed value."""
    return b'\x80\x02}' + op_text(key) + value + b's.'


def tensor_pickle(
    size: tuple, stride: tuple, offset: int, numel: int, kind: str = 'Float'
) -> bytes:
    """A pickle with a tensor of these sizes on a storage of ``numel`` elements."""
    storage = (
        op_tuple(
            op_text('storage'),
            op_global(f'torch.{kind}Storage'),
            op_text('0'),
            op_text('cpu'),
            op_int(numel),
        )
        + b'Q'
    )
    ordered = op_global('collections.OrderedDict') + b')R'
    args = op_tuple(
        storage,
        op_int(offset),
        op_tuple(*map(op_int, size)),
        op_tuple(*map(op_int, stride)),
        b'\x89',
        ordered,
    )
    return dict_pickle(
        'state_dict',
        b'}' + op_text('w') + op_global('torch._utils._rebuild_tensor_v2') + args + b'Rs',
    )


def array_pickle(dtype: bytes, shape: bytes, raw: bytes) -> bytes:
    """A pickle with a NumPy array of these parts."""
    core = 'numpy._core.multiarray._reconstruct'
    made = (
        op_global(core)
        + op_tuple(op_global('numpy.ndarray'), op_tuple(op_int(0)), op_text('b'))
        + b'R'
    )
    data = (
        op_global('_codecs.encode')
        + op_tuple(op_text(raw.decode('latin1')), op_text('latin1'))
        + b'R'
    )
    return dict_pickle('x', made + op_tuple(op_int(1), shape, dtype, b'\x89', data) + b'b')


def op_dtype(name: str, fields: bytes = b'N', order: str = '<') -> bytes:
    """Push a NumPy dtype."""
    state = op_tuple(
        op_int(3), op_text(order), b'N', b'N', fields, op_int(-1), op_int(-1), op_int(0)
    )
    return (
        op_global('numpy.dtype') + op_tuple(op_text(name), b'\x89', b'\x88') + b'R' + state + b'b'
    )
