"""Pages, navigation and links of the documentation; `make docs` builds it."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.commands import ROOT

PAGES = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ('*.md', 'docs/**/*.md', 'docs/**/*.ipynb', 'configs/**/*.md', 'zoo/**/*.md')
    for file in ROOT.glob(pattern)
)


def _hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location('_docs_hooks', ROOT / 'docs' / 'hooks.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = _hooks()


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r'^#+ (.+)$', re.sub(r'(?ms)^```.*?^```', '', text), re.M):
        words = re.sub(r'\]\([^)]*\)', '', heading).lower()
        anchor = re.sub(r'[^\w\- ]', '', words).replace(' ', '-')
        number = 1
        while (numbered := anchor if number == 1 else f'{anchor}-{number - 1}') in found:
            number += 1
        found.add(numbered)
    return found


def _in_nav(entries: list) -> Iterator[str]:
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else _in_nav(value)


def test_every_page_of_docs_is_in_the_navigation() -> None:
    nav = list(_in_nav(yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav']))
    assert len(nav) == len(set(nav))
    site = {HOOKS.site_path(page) for page in PAGES}
    assert set(nav) <= site
    assert {HOOKS.site_path(page) for page in PAGES if page.startswith('docs/')} <= set(nav)


@pytest.mark.parametrize('page', PAGES)
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    for match in HOOKS.links(HOOKS.text_of(ROOT / page)):
        path, _, anchor = match[0].partition('#')
        target = ROOT / HOOKS.target_of(page, path)
        assert target.exists(), f'{page}: {match[0]}'
        if anchor:
            assert anchor in _anchors(target.read_text()), f'{page}: {match[0]}'


def test_links_of_a_page_in_the_site() -> None:
    text = (
        '[a](../configs/ressl/README.md#results) [b](../configs/ressl) `[c](../x)` [d](vitas.md)\n'
        '[e](../setup.py) [f](#here) [g](https://x.org) ![h](figures/architecture.png)\n'
        '```\n[i](../README.md)\n```\n[j](../README.md)\n'
    )
    assert HOOKS.rewritten(text, 'docs/x.md') == (
        '[a](files/configs/ressl/README.md#results) [b](files/configs/ressl/README.md) '
        '`[c](../x)` [d](vitas.md)\n'
        '[e](files/setup.py.md) [f](#here) [g](https://x.org) ![h](figures/architecture.png)\n'
        '```\n[i](../README.md)\n```\n[j](index.md)\n'
    )
    assert HOOKS.rewritten('[a](../../docs/api/apis.md)', 'configs/wcl/README.md') == (
        '[a](../../../api/apis.md)'
    )
    assert HOOKS.page_of('configs/ressl') is None  # its README is the page
    assert '(mmseg/fcn_resnet50-d8_1xb8-2ki_camvid.py.md)' in HOOKS.page_of('configs/downstream')
    assert HOOKS.rewritten('[a](notebooks/search.ipynb)', 'docs/get_started.md') == (
        '[a](notebooks/search.md)'
    )
    with pytest.raises(FileNotFoundError, match=r'configs/none\.py does not exist'):
        HOOKS.rewritten('[a](../configs/none.py)', 'docs/x.md')


def test_a_notebook_as_a_page(tmp_path: Path) -> None:
    cells = [
        dict(cell_type='markdown', source=['# Title\n', '[a](../search.md)']),
        dict(cell_type='code', source=['a = 1\n', 'a']),
    ]
    file = tmp_path / 'a.ipynb'
    file.write_text(json.dumps(dict(cells=cells)))
    assert HOOKS.text_of(file) == '# Title\n[a](../search.md)\n\n```python\na = 1\na\n```\n'
