"""The code and the commands of docs/get_started.md, recipes.md and studies.md, run."""

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import ROOT, call, linked
from tests.images import make_folder

DOCS = ROOT / 'docs'
# Less work, with the same config.
SMALL = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
         'model.backbone.stem_channels=4',
         'model.backbone.base_channels=4']  # fmt: skip
DIGITS = ['train_dataloader.dataset.indices=64', 'val_dataloader.dataset.indices=64']


def _blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)


def _files_and_code(page: str) -> tuple[dict[str, str], list[str]]:
    """Blocks that begin with a file's name, and the others."""
    files, code = {}, []
    for block in _blocks(page, 'python'):
        name = re.match(r'# (\S+\.py)\n', block)
        if name:
            files[name[1]] = block
        else:
            code.append(block)
    return files, code


def _commands(page: str) -> Iterator[list[str]]:
    """The tool and the arguments of each `python tools/TOOL ...`."""
    variables: dict[str, str] = {}
    for block in _blocks(page, 'bash'):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r'\w+=', words[0]):
                name, _, value = words.pop(0).partition('=')
                variables[f'${name}'] = value
            if words[:1] == ['python']:
                tool, *arguments = (variables.get(word, word) for word in words[1:])
                yield [tool.removeprefix('tools/'), *arguments]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader's folder: the repository's configs and tools, images, and the pages' files."""
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    for part in ('train', 'test'):
        make_folder(tmp_path / 'my_images' / part, classes=3, each=16)
    for page in ('recipes.md', 'studies.md'):
        for name, text in _files_and_code(page)[0].items():
            (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(code: list[str]) -> tuple[str, dict]:
    """Run blocks in one namespace; what they printed, and the namespace."""
    namespace: dict = {}
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        for block in code:
            exec(block, namespace)
    return output.getvalue(), namespace


def test_the_result_in_ten_lines(folder: Path) -> None:
    _, code = _files_and_code('get_started.md')
    assert len(code) == 2
    lines = [line for line in code[0].splitlines() if line and 'import' not in line]
    assert len(lines) <= 10
    output, _ = _run(code)
    (printed,) = re.findall(r'^```\n(0\.\d+)\n```', (DOCS / 'get_started.md').read_text(), re.M)
    # Not the first line: on a slow machine, the progress comes first.
    score = re.findall(r'^0\.\d+$', output, re.M)[0]
    assert float(score) == pytest.approx(float(printed), abs=0.01)


@linked
def test_the_recipes_code(folder: Path) -> None:
    _, code = _files_and_code('recipes.md')
    output, names = _run(code)
    # The logger's lines may come before it.
    found = [re.findall(r'\d+\.\d+', line) for line in output.splitlines()]
    means = [float(x) for x in next(numbers for numbers in found if len(numbers) == 6)]
    assert all(0 < x < 255 for x in means)
    assert names['cfg'].model.head.teacher_temperature == 0.04
    assert names['cfg'].model.memory.size == 1024
    assert (folder / 'effective.py').is_file()
    assert float(output.splitlines()[-1]) < 1e-5


def _arguments(tool: str, words: list[str]) -> list[str]:
    """With options for less work."""
    if tool != 'train.py':
        return words
    small = [*SMALL] if 'val_dataloader=None' in words else [*SMALL, 'val_dataloader.num_workers=0']
    small += [] if any('my_images' in word for word in words) else DIGITS
    if 'train_dataloader.batch_size=128' in words:
        small.append('train_dataloader.dataset.indices=128')
    few = {'work_dirs/mine', 'work_dirs/one_folder'} & set(words)
    if few or any('wcl' in word for word in words):
        small.append('train_dataloader.batch_size=16')
    if 'val_cfg' not in ' '.join(words):
        small.append('val_cfg.k=1')
    return [*words, *([] if '--cfg-options' in words else ['--cfg-options']), *small]


COMMANDS = [
    pytest.param(words, id=f'{page}-{Path(words[words.index("--work-dir") + 1]).name}')
    for page in ('get_started.md', 'recipes.md')
    for words in _commands(page)
    if words[0] in ('train.py', 'test.py')
]


@pytest.mark.slow
@linked
@pytest.mark.parametrize('words', COMMANDS)
def test_the_commands(folder: Path, words: list[str]) -> None:
    tool, *arguments = words
    if any('heldout.txt' in word for word in words):
        (draw,) = (w for w in _commands('recipes.md') if w[0].endswith('make_label_split.py'))
        call(*draw, cwd=folder)
    output = call(tool, *_arguments(tool, arguments), cwd=folder)
    if 'val_dataloader=None' in words:
        assert 'no validation' in output
        return
    assert re.search(r'knn\d+/top1: [\d.]+', output)
    work_dir = folder / arguments[arguments.index('--work-dir') + 1]
    if work_dir.name == 'batch128':
        (line,) = re.findall(r'^(auto_scale_lr: .*)$', (DOCS / 'recipes.md').read_text(), re.M)
        assert line in output
    if work_dir.name == 'board':
        assert list(work_dir.glob('*/vis_data/events.out.tfevents.*'))
    if tool == 'train.py':
        config = Path(arguments[0]).name
        assert call('test.py', work_dir / config, next(work_dir.glob('*.pth')), cwd=folder)


def test_errors_of_the_faq_are_ours() -> None:
    """The parts of a quoted error between its values are in a message of the package."""
    messages = [
        node.value
        for file in (ROOT / 'mmrel').rglob('*.py')
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    text = (DOCS / 'faq.md').read_text()
    quoted = re.findall(r'^## `(?:error: )?([^`]+ [^`]+)`$', text, re.M)
    assert len(quoted) == 2
    for error in quoted:
        part = max(re.split(r'[\w.]*=?\d+', error), key=len)
        assert len(part) > 20
        assert any(part.rstrip() in message for message in messages), error


@pytest.mark.slow
def test_the_study(folder: Path) -> None:
    (words,) = _commands('studies.md')
    small = [*SMALL, *DIGITS, 'val_dataloader.num_workers=0', 'train_cfg.max_epochs=2',
             'model.warmup.epochs=1']  # fmt: skip
    output = call(*words, '--jobs', '2', '--cfg-options', *small, 'val_cfg.k=20', cwd=folder)
    (table,) = re.findall(r'^```\n(\|.*?)^```', (DOCS / 'studies.md').read_text(), re.M | re.S)
    # Up to the values, which are of a shorter run.
    starts = [[line.split('|')[1] for line in text.splitlines() if line.startswith('|')]
              for text in (table, output)]  # fmt: skip
    assert starts[0] == starts[1]
    assert output.splitlines()[-1] == table.splitlines()[-1]
    with Image.open(folder / 'work_dirs/study/study.png') as picture:
        assert picture.width > 1000
