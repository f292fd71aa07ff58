"""What the commands on images share: arguments, the order of checks, what is kept after errors."""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmrel.apis.image_command import (
    add_image_arguments,
    add_model_arguments,
    image_settings,
    run_on_images,
)
from mmrel.apis.image_model import ImageModel
from mmrel.datasets import BrokenImageError
from mmrel.datasets.image_list import ImageList
from tests.odd_images import RGB, saved


@pytest.fixture
def args(tmp_path: Path) -> argparse.Namespace:
    """The arguments of a command on one image."""
    (tmp_path / 'x.png').write_bytes(saved(RGB, 'PNG'))
    return _parsed('name', str(tmp_path / 'x.png'), '--out', str(tmp_path / 'rows.txt'))


def _parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    add_image_arguments(parser)
    parser.add_argument('--out')
    return parser.parse_args(words)


def _rows(*rows: int) -> SimpleNamespace:
    return SimpleNamespace(rows=list(rows))


def _write(path: str, result: SimpleNamespace) -> None:
    Path(path).write_text(str(result.rows))


def _run(
    args: argparse.Namespace,
    compute: Callable[[Any, ImageList], Any],
    check: Callable[[ImageList], None] = lambda images: None,
    write: Callable[[str, Any], None] = _write,
) -> tuple[Any, float]:
    def build(**settings: Any) -> SimpleNamespace:
        return SimpleNamespace(output='features', settings=settings)

    return run_on_images(args, check, build, compute, write)


def _fail(error: BaseException, finished: SimpleNamespace | None = None) -> Callable[..., None]:
    def fail(*_: object) -> None:
        if finished is not None:
            error.finished = finished
        raise error

    return fail


def test_every_setting_but_the_pipeline_is_an_argument() -> None:
    accepted = inspect.signature(ImageModel).parameters
    defaults = image_settings(_parsed('name', 'x.png'))
    assert set(defaults) == set(accepted) - {'pipeline'}
    for key in set(defaults) - {'model', 'num_workers'}:
        assert defaults[key] == accepted[key].default, key
    given = image_settings(
        _parsed(
            'name', 'x.png', '--pretrained', 'a.pth', '--device', 'cpu', '--batch-size', '3',
            '--num-workers', '0', '--skip-broken', '--no-progress', '--cfg-options', 'a.b=x',
            '--extensions', 'png', 'jpg', '--teacher', '--dtype', 'float16', '--channels-last',
            '--no-cache',
        )
    )  # fmt: skip
    assert given == dict(
        model='name', pretrained='a.pth', device='cpu', batch_size=3, num_workers=0,
        skip_broken=True, progress=False, cfg_options={'a.b': 'x'}, extensions=['png', 'jpg'],
        teacher=True, dtype='float16', channels_last=True, cache=False,
    )  # fmt: skip


def test_the_result_is_written_and_returned(args: argparse.Namespace) -> None:
    seen = []

    def compute(model: SimpleNamespace, images: ImageList) -> SimpleNamespace:
        seen.append((model.settings['model'], images.items))
        return _rows(0)

    result, seconds = _run(args, compute)
    assert result.rows == [0]
    assert 0 <= seconds < 60
    assert seen == [('name', args.inputs)]
    assert Path(args.out).read_text() == '[0]'


def test_an_error_of_the_checks_is_one_line_and_nothing_is_computed(
    args: argparse.Namespace,
) -> None:
    compute = _fail(AssertionError('it computes'))
    with pytest.raises(SystemExit) as caught:
        _run(args, compute, check=_fail(KeyError("no model is named 'x'")))
    assert caught.value.code == "error: no model is named 'x'"  # without the quotes of a KeyError
    args.inputs = ['nowhere.png']
    with pytest.raises(SystemExit) as caught:
        _run(args, compute)
    assert caught.value.code == "error: 1 path(s) do not exist: 'nowhere.png'"


def test_rows_that_are_done_are_kept_beside_an_earlier_result(
    args: argparse.Namespace, capsys: pytest.CaptureFixture
) -> None:
    out, partial = Path(args.out), Path(args.out).with_name('rows.partial.txt')
    out.write_text('of an earlier run')
    with pytest.raises(SystemExit) as caught:
        _run(args, _fail(BrokenImageError('image x is broken'), _rows(0, 2)))
    kept = f'the results of the 2 finished images are in {partial}'
    assert caught.value.code == f'error: image x is broken\n{kept}'
    assert partial.read_text() == '[0, 2]'
    assert out.read_text() == 'of an earlier run'
    # Of other errors the traceback is needed.
    for error in (KeyboardInterrupt(), RuntimeError('odd')):
        partial.unlink()
        with pytest.raises(type(error)):
            _run(args, _fail(error, _rows(1)))
        assert partial.read_text() == '[1]'
        assert f'the 1 finished images are in {partial}\n' in capsys.readouterr().err
    partial.unlink()
    with pytest.raises(SystemExit) as caught:
        _run(args, _fail(BrokenImageError('image x is broken'), _rows()))
    assert caught.value.code.endswith('broken\nno image was finished before the error')
    assert not partial.exists()


def test_a_result_that_cannot_be_written_is_somewhere_else(args: argparse.Namespace) -> None:
    Path(args.out).mkdir()
    with pytest.raises(SystemExit) as caught:
        _run(args, lambda model, images: _rows(0))
    start, _, rescue = caught.value.code.partition('; the features are in ')
    assert start.startswith(f'error: {args.out} cannot be written (')
    assert 'Is a directory' in start
    assert Path(rescue).read_text() == '[0]'
    assert Path(rescue).name == 'rows.txt'
