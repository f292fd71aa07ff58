"""mmdet finds its ops, whatever is imported first."""

import subprocess
import sys

import pytest

from tests.commands import environment


def _run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )


@pytest.mark.parametrize(
    'before', ['import mmrel.models', 'import mmrel.apis', 'import mmseg.models']
)
def test_ops_come_after_models(before: str) -> None:
    done = _run(
        f'import mmrel\n{before}\nimport mmrel.utils.mmcv_ops\n'
        'from mmdet.models.dense_heads.rpn_head import batched_nms\n'
        'print(batched_nms.__module__)'
    )
    assert done.stdout.splitlines()[-1] == 'mmcv.ops.nms', done.stderr


def test_no_ops_is_one_error_with_the_remedy() -> None:
    done = _run('import mmrel\nimport mmdet.models')
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: mmdet needs mmcv's ops")
    assert 'mmrel.utils.mmcv_ops' in last


def test_mmdet_that_was_imported_without_ops_is_refused() -> None:
    # mmpretrain imports a part of mmdet by itself.
    done = _run('import mmpretrain.models\nimport mmrel.utils.mmcv_ops')
    last = done.stderr.splitlines()[-1]
    assert last.startswith('ImportError: mmdet.models.layers was imported before')
    assert last.endswith('import mmrel.utils.mmcv_ops first')
