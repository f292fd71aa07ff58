"""Hostile and damaged checkpoints: none runs, none crashes, each is refused in one line."""

import copy
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from mmrel.apis import FeatureExtractor, build_runner, get_model, load_config
from mmrel.models.init.pretrained_init import PretrainedInit
from mmrel.utils import load_checkpoint_file
from mmrel.utils.weights import load_weights
from tests.commands import ROOT, TINY, call, environment, folders
from tests.images import make_folder
from tests.utils.hostile_files import SENTINEL, hostile_files

# Wrong for a model, which a loader and a publisher do not know.
_OF_A_MODEL = {
    'NaN', 'infinite', 'whole numbers for floats', 'weights of no tensor', 'weights of an array',
    'weights are a list', 'no weights', 'keys that are numbers', 'safetensors, NaN',
    'safetensors, no tensors', 'safetensors, whole numbers for floats',
}  # fmt: skip
_ACCEPTED = {
    'load_checkpoint_file': _OF_A_MODEL,
    'CheckpointLoader': _OF_A_MODEL,
    'publish': {'whole numbers for floats', 'safetensors, whole numbers for floats'},
}
ENTRIES = (
    'load_checkpoint_file', 'CheckpointLoader', 'load_weights', 'get_model', 'FeatureExtractor',
    'init_cfg', 'load_from', 'resume', 'last_checkpoint', 'publish', 'official_to_mmrel', 'extract',
)  # fmt: skip
# They build or read a config anew for every file.
_SLOW = {'get_model', 'FeatureExtractor', 'extract'}


class Case:
    """A run, its checkpoint, hostile variants of it, and the ways to load them."""

    def __init__(self, root: Path) -> None:
        self.root, data = root, make_folder(root / 'data', classes=2, each=8)
        options = dict(option.split('=') for option in folders(data)[1:])
        options |= {f'{part}_dataloader.num_workers': 0 for part in ('train', 'val')}
        options |= {f'{part}_dataloader.persistent_workers': False for part in ('train', 'val')}
        self.cfg = load_config(str(TINY), options, str(root / 'work'))
        self.runner = runner = build_runner(copy.deepcopy(self.cfg))
        runner.train_loop  # noqa: B018
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        runner.save_checkpoint(str(root), 'good.pth', meta=dict(epoch=1, iter=2))
        self.good = root / 'good.pth'
        # Whole, as a run wrote it just now: the project's loader leaves entries out.
        self.content = torch.load(self.good, weights_only=False)
        (root / 'files').mkdir()
        self.files = hostile_files(self.content, root / 'files')
        self.model = get_model(self.cfg)

    def enter(self, entry: str, file: Path) -> None:
        getattr(self, f'_{entry}')(str(file))

    def _load_checkpoint_file(self, file: str) -> None:
        load_checkpoint_file(file)

    def _CheckpointLoader(self, file: str) -> None:
        CheckpointLoader.load_checkpoint(file, 'cpu')

    def _load_weights(self, file: str) -> None:
        load_weights(self.model, file)

    def _get_model(self, file: str) -> None:
        get_model(self.cfg, file)

    def _FeatureExtractor(self, file: str) -> None:
        FeatureExtractor(self.cfg, file, progress=False)

    def _init_cfg(self, file: str) -> None:
        PretrainedInit(file, 'backbone.')(self.model.backbone)

    def _load_from(self, file: str) -> None:
        self._start(False, file)

    def _resume(self, file: str) -> None:
        self._start(True, file)

    def _last_checkpoint(self, file: str) -> None:
        (self.root / 'work' / 'last_checkpoint').write_text(file)
        self._start(True, None)

    def _start(self, resume: bool, file: str | None) -> None:
        runner = self.runner
        runner._resume, runner._load_from, runner._has_loaded = resume, file, False
        runner.load_or_resume()

    def _publish(self, file: str) -> None:
        call('model_converters/publish_model.py', file, self.root / 'published.pth')

    def _official_to_mmrel(self, file: str) -> None:
        call('model_converters/official_to_mmrel.py', 'ressl', file, self.root / 'converted.pth')

    def _extract(self, file: str) -> None:
        call('mmrel.apis.extract', TINY, self.root / 'data', '--pretrained', file,
             '--out', self.root / 'features.npy')  # fmt: skip

    def nothing_ran(self) -> bool:
        """Whether no file has left its sign."""
        signs = os.environ.get(SENTINEL), 'antigravity' in sys.modules
        return not any(signs) and not (self.root / 'files' / 'ran').exists()

    def refusals(self, entry: str, names: list[str]) -> list[str]:
        """Faults of the way in which files are refused."""
        faults = []
        for name in names:
            try:
                self.enter(entry, self.files[name])
            except (Exception, SystemExit) as error:
                text = str(error)
                if text.count('\n') > 1 or len(text) > 1500 or not text:
                    faults.append(f'{name}: not a short message: {text}')
                if 'weights_only' in text or 'add_safe_globals' in text:
                    faults.append(f'{name}: quotes advice to load it unsafely: {text}')
            else:
                if name not in _ACCEPTED.get(entry, ()):
                    faults.append(f'{name}: was accepted')
            if not self.nothing_ran():
                faults.append(f'{name}: RAN')
        return faults


@pytest.fixture(scope='module')
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Shared by all tests; none of them changes it."""
    return Case(tmp_path_factory.mktemp('hostile'))


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv('MMREL_MAX_CHECKPOINT_GB', '0.01')
    yield
    os.environ.pop(SENTINEL, None)


_WORKER = """
import json, resource, sys
from mmrel.utils import load_checkpoint_file
with open('/proc/self/statm') as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**28, now + 2**28))
for line in sys.stdin:
    try:
        load_checkpoint_file(line.strip())
        print('loaded', flush=True)
    except Exception as error:
        print(json.dumps(str(error)), flush=True)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss), flush=True)
"""


def test_hostile_files_cannot_crash_a_process_of_little_memory(case: Case) -> None:
    """All of them in one process that may take 256 MB more than its imports."""
    names = list(case.files)
    done = subprocess.run(
        [sys.executable, '-c', _WORKER],
        input='\n'.join(str(case.files[name]) for name in names),
        capture_output=True,
        text=True,
        env=environment() | {'MMREL_MAX_CHECKPOINT_GB': '0.01'},
        cwd=ROOT,
        timeout=240,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (len(lines), names[len(lines) :][:1], done.stderr[-2000:])
    assert len(lines) == len(names) + 1 >= 49
    accepted = {name for name, line in zip(names, lines, strict=False) if line == 'loaded'}
    assert accepted == _OF_A_MODEL
    assert all('\n' not in json.loads(line) for line in lines[:-1] if line != 'loaded')


@pytest.mark.parametrize('entry', ENTRIES)
def test_hostile_files_are_refused_by_every_entry_point(case: Case, entry: str) -> None:
    """Every file is in the sample of several entry points; all files with all, in the slow one."""
    names, place = list(case.files), ENTRIES.index(entry)
    step = 9 if entry in _SLOW else 2
    sample = names[place % step :: step]
    assert len(sample) >= 8
    assert case.refusals(entry, sample) == []


@pytest.mark.slow
@pytest.mark.parametrize('entry', ENTRIES)
def test_hostile_files_are_refused_all_by_all(case: Case, entry: str) -> None:
    assert case.refusals(entry, list(case.files)) == []


@pytest.mark.parametrize('entry', [e for e in ENTRIES if e not in ('official_to_mmrel', 'extract')])
def test_hostile_checks_let_the_honest_pass(case: Case, entry: str) -> None:
    case.enter(entry, case.good)


@pytest.mark.parametrize('entry', ['resume', 'last_checkpoint'])
def test_hostile_texts_of_an_honest_checkpoint_are_not_run(
    case: Case, entry: str, tmp_path: Path
) -> None:
    code = f'import os\nos.environ[{SENTINEL!r}] = "1"\nx = 1\n'
    victim = tmp_path / 'precious.pth'
    victim.write_text('x')
    content = copy.deepcopy(case.content)
    content['meta'] |= dict(
        config=code, cfg=code, experiment_name='../../x', hook_msgs=dict(x=code)
    )
    content['message_hub']['runtime_info'] |= dict(
        cfg=code, experiment_name='../..', best_ckpt=str(victim), last_ckpt='../../last.pth',
        best_ckpt_other='/etc/best_1.pth', best_ckpt_up='..',
    )  # fmt: skip
    torch.save(content, tmp_path / 'texts.pth')
    case.enter(entry, tmp_path / 'texts.pth')
    assert case.nothing_ran()
    info, work_dir = case.runner.message_hub.runtime_info, case.runner.work_dir
    assert info['best_ckpt'] is None
    assert info['best_ckpt_up'] is None
    assert info['best_ckpt_other'] == os.path.join(work_dir, 'best_1.pth')
    assert info['last_ckpt'] == os.path.join(work_dir, 'last.pth')
    assert code not in (info.get('cfg'), info.get('experiment_name'))
    assert victim.exists()
    for key in ('best_ckpt', 'best_ckpt_other', 'best_ckpt_up', 'last_ckpt'):
        info.pop(key)


def _without(key: str) -> Callable[[dict], None]:
    return lambda content: content.pop(key)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_without('optimizer'), 'no optimizer state to resume'),
        (_without('param_schedulers'), 'no param_schedulers to resume'),
        (_without('meta'), r'no meta\.epoch'),
        (_without('message_hub'), r'no message_hub\.log_scalars'),
        (lambda c: c['meta'].pop('iter'), r'no meta\.iter'),
        (lambda c: c['meta'].update(epoch=99), 'epoch 99, but this run ends after 4'),
        (lambda c: c['optimizer'].update(param_groups=3), 'not a valid optimizer state'),
        (lambda c: c['optimizer']['param_groups'].pop(), 'groups of'),
        (lambda c: c.update(param_schedulers=[dict(step=1)]), 'not valid scheduler states'),
    ],
)
def test_hostile_or_foreign_states_are_not_resumed(
    case: Case, tmp_path: Path, change: Callable, message: str
) -> None:
    content = copy.deepcopy(case.content)
    change(content)
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(RuntimeError, match=message) as caught:
        case.enter('resume', tmp_path / 'odd.pth')
    assert '\n' not in str(caught.value)
    case.enter('load_from', tmp_path / 'odd.pth')  # its weights are sound


@pytest.mark.parametrize(
    'content', [b'', b'\xff\xfe', b'http://example.com/x.pth', b'a\nb', b'x' * 4999, 'folder']
)
def test_hostile_pointers_are_refused(case: Case, content: bytes | str) -> None:
    pointer = case.root / 'work' / 'last_checkpoint'
    pointer.unlink(missing_ok=True)
    pointer.mkdir() if content == 'folder' else pointer.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"last_checkpoint' .*--resume FILE") as caught:
        case._start(True, None)
    assert '\n' not in str(caught.value)
    pointer.rmdir() if content == 'folder' else pointer.unlink()


def test_hostile_or_not_nan_is_loaded_where_that_is_asked_for(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MMREL_ALLOW_NONFINITE', '1')
    model = get_model(case.cfg)
    load_weights(model, str(case.files['NaN']))
    assert any(value.isnan().any() for value in model.state_dict().values())


def test_hostile_bombs_name_the_limit(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        RuntimeError, match=r'0\.03 GB, more than 0\.01 GB.*MMREL_MAX_CHECKPOINT_GB'
    ):
        load_checkpoint_file(case.files['zip bomb'])
    monkeypatch.setenv('MMREL_MAX_CHECKPOINT_GB', '1')
    load_checkpoint_file(case.files['zip bomb'])  # thirty megabytes
    monkeypatch.setenv('MMREL_MAX_CHECKPOINT_GB', 'much')
    with pytest.raises(RuntimeError, match="'much' must be a positive number"):
        load_checkpoint_file(case.good)


@pytest.mark.parametrize('legacy', [False, True])
def test_hostile_or_random_bytes_give_our_errors_alone(legacy: bool) -> None:
    """A few bytes of an honest file are changed at random."""
    content = dict(
        meta=dict(epoch=1, iter=1),
        state_dict={'w': torch.randn(4, 4)},
        message_hub=dict(
            log_scalars=dict(loss=HistoryBuffer([1.0], [1])), runtime_info={}, resumed_keys={}
        ),
    )
    buffer, draw = io.BytesIO(), random.Random(0)
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    refusals = []
    for _ in range(400):
        raw = bytearray(buffer.getvalue())
        for _ in range(draw.choice((1, 2, 8))):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        try:
            load_checkpoint_file(io.BytesIO(bytes(raw)))
        except RuntimeError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert not any('\n' in text for text in refusals)
