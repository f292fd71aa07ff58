"""MkDocs hooks: files outside docs/ that a page links to become part of the site.

Pages are written for GitHub: links are relative to the file in the repository. In the site,

- README.md is the home page, CHANGELOG.md the page `changelog.md`;
- a notebook in docs/ is a page too: its text, and its code as blocks;
- any other file or folder outside docs/ is below `files/`, at its path in the repository. A
  folder shows its README or a list of its files, a text file is shown as code.
"""

import json
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RENAMED = {'README.md': 'index.md', 'CHANGELOG.md': 'changelog.md'}
LANGUAGES = {'.py': 'python', '.sh': 'bash', '.json': 'json', '.yml': 'yaml', '.txt': 'text'}

_FENCE = re.compile(r'^(```+).*?^\1', re.M | re.S)
_CODE = re.compile(r'(`+)(?!`).+?(?<!`)\1(?!`)', re.S)
_LINK = re.compile(r'(?<=\]\()([^()\s]+)(?=\))')


def code_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of a page's code blocks and inline code."""
    fences = [match.span() for match in _FENCE.finditer(text)]
    inline = [match.span() for match in _CODE.finditer(_FENCE.sub(_blank, text))]
    return fences + inline


def _blank(match: re.Match) -> str:
    return ' ' * len(match[0])


def links(text: str) -> Iterator[re.Match]:
    """The targets of a page's links and images that are in the repository."""
    code = code_spans(text)
    for match in _LINK.finditer(text):
        if '://' not in match[0] and not any(a <= match.start() < b for a, b in code):
            yield match


def target_of(source: str, link: str) -> str:
    """The path in the repository that a link of the file ``source`` leads to, without anchor."""
    path = link.partition('#')[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source


def site_path(path: str) -> str:
    """The site's source file for a path in the repository.

    Raises:
        FileNotFoundError: If the path does not exist.
    """
    if path.startswith('docs/'):
        name = path.removeprefix('docs/')
        return name.removesuffix('.ipynb') + '.md' if name.endswith('.ipynb') else name
    if path in RENAMED:
        return RENAMED[path]
    file = ROOT / path
    if file.is_dir():
        return f'files/{path}/{"README" if (file / "README.md").is_file() else "index"}.md'
    if not file.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    return f'files/{path}.md' if file.suffix in LANGUAGES else f'files/{path}'


def text_of(file: Path) -> str:
    """A page's text in Markdown; a notebook's code is in blocks."""
    if file.suffix != '.ipynb':
        return file.read_text()
    parts = []
    for cell in json.loads(file.read_text())['cells']:
        source = ''.join(cell['source'])
        parts.append(f'```python\n{source}\n```' if cell['cell_type'] == 'code' else source)
    return '\n\n'.join(parts) + '\n'


def rewritten(text: str, source: str) -> str:
    """A page's text with its links relative to its place in the site."""
    folder, parts, end = posixpath.dirname(site_path(source)), [], 0
    for match in links(text):
        path, _, anchor = match[0].partition('#')
        if path:
            path = posixpath.relpath(site_path(target_of(source, path)), folder or '.')
        parts += [text[end : match.start()], path + (f'#{anchor}' if anchor else '')]
        end = match.end()
    return ''.join(parts) + text[end:]


def notebooks() -> list[Path]:
    """The notebooks of the documentation."""
    return sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb'))


def linked_files() -> list[str]:
    """Paths outside docs/ that belong to the site: those linked from its pages."""
    pages = [*ROOT.glob('docs/**/*.md'), *notebooks()]
    todo = [file.relative_to(ROOT).as_posix() for file in pages]
    todo += RENAMED
    seen = set(todo)
    for path in todo:
        file = ROOT / path
        if file.is_dir():
            inside = [file / 'README.md']
            if not inside[0].is_file():
                inside = [x for x in file.rglob('*') if x.suffix in LANGUAGES and x.is_file()]
            found = [x.relative_to(ROOT).as_posix() for x in inside]
        elif file.suffix in ('.md', '.ipynb'):
            found = [target_of(path, match[0]) for match in links(text_of(file))]
        else:
            found = []
        new = [x for x in dict.fromkeys(found) if x not in seen and (ROOT / x).exists()]
        seen.update(new)
        todo += new
    return sorted(x for x in seen if not x.startswith('docs/'))


def page_of(path: str) -> str | None:
    """The text of a page that shows a folder or a text file; None: the file itself is used."""
    file = ROOT / path
    if file.is_dir() and not (file / 'README.md').is_file():
        inside = sorted(x.relative_to(file) for x in file.rglob('*') if x.suffix in LANGUAGES)
        body = '\n'.join(f'- [{x}]({x}.md)' for x in map(Path.as_posix, inside))
    elif file.suffix in LANGUAGES:
        body = f'````{LANGUAGES[file.suffix]}\n{file.read_text()}````'
    else:
        return None
    return f'---\nsearch:\n  exclude: true\nhide: [toc]\n---\n\n# {path}\n\n{body}\n'


def on_config(config):
    from pymdownx.slugs import slugify

    # GitHub's anchors.
    config.mdx_configs.setdefault('toc', {})['slugify'] = slugify(case='lower')


def on_files(files, config):
    from mkdocs.structure.files import File

    for file in notebooks():
        name = site_path(file.relative_to(ROOT).as_posix())
        files.append(File.generated(config, name, content=text_of(file)))
    for path in linked_files():
        name, text = site_path(path), page_of(path)
        if files.get_file_from_path(name):
            continue
        if text is not None:
            files.append(File.generated(config, name, content=text))
        elif not (ROOT / path).is_dir():
            files.append(File.generated(config, name, abs_src_path=os.fspath(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    name = page.file.src_uri
    places = {site: path for path, site in RENAMED.items()}
    if name in places:
        return rewritten(markdown, places[name])
    if not name.startswith('files/'):
        return rewritten(markdown, f'docs/{name}')
    # What page_of wrote has links of the site already.
    return rewritten(markdown, name.removeprefix('files/')) if _is_ours(name) else markdown


def _is_ours(name: str) -> bool:
    return (ROOT / name.removeprefix('files/')).is_file()
