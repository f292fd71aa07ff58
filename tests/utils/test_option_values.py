import pytest

from mmrel.utils.option_values import option_value

PATHS = [
    '/x/my images/train',
    '/x/a,b/train',
    '/x/[a] (b) {c}/train',
    '/x/[a/train',
    "/x/it's/train",
    '/x/"quoted"/train',
    '/x/a=b/train',
    '/x/später/日本/train',
    '/x/1,2,3',
    ' /x/ blanks ',
    '/x/#5',
    './~/x',
    'a\\nb',
    'x=[1,2]',
]


@pytest.mark.parametrize('present', [None, '', 'data', ['a'], 3], ids=repr)
@pytest.mark.parametrize('text', PATHS)
def test_a_text_stays_as_it_was_typed(text: str, present: object) -> None:
    if isinstance(present, list) and ',' in text:
        pytest.skip('where a key holds a list, commas separate')
    assert option_value(text, present) == text


@pytest.mark.parametrize('text', ['123', '1e3', '[a, b]', '(1, 2)', '1,2', 'none', '007', '...'])
def test_where_a_key_holds_a_text_everything_is_one(text: str) -> None:
    assert option_value(text, 'data') == text


@pytest.mark.parametrize(
    ('text', 'value'),
    [('None', None), ('True', True), ('false', False), ("'123'", '123'), ('"None"', 'None')],
)
def test_a_text_can_be_replaced_by_none_a_boolean_or_what_is_quoted(
    text: str, value: object
) -> None:
    assert option_value(text, 'data') is value or option_value(text, 'data') == value


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('-1e-3', -0.001),
        ('inf', float('inf')),
        ('true', True),
        ('None', None),
        ("'a, b'", 'a, b'),
        ('1,2,3', [1, 2, 3]),
        ('1,', [1]),
        ('(1, 2)', (1, 2)),
        ('(1,2),(3,4)', [(1, 2), (3, 4)]),
        ('[a, b]', ['a', 'b']),
        ('[(a,1),[b]]', [('a', 1), ['b']]),
        ("['a,b', c]", ['a,b', 'c']),
        ('[]', []),
        ("[{'type': 'A', 'b': [{'c': None}]}, 2]", [{'type': 'A', 'b': [{'c': None}]}, 2]),
        ("[dict(type='A', b=dict(c=1.5)), dict()]", [{'type': 'A', 'b': {'c': 1.5}}, {}]),
        # Nothing is evaluated.
        ('__import__("os").getcwd()', '__import__("os").getcwd()'),
        ('dict(**{})', 'dict(**{})'),
        ('1+1', '1+1'),
        ('[' * 5000, '[' * 5000),
    ],
)
def test_literals_and_bare_lists(text: str, value: object) -> None:
    found = option_value(text)
    assert found == value
    assert type(found) is type(value)


def test_a_list_of_texts_needs_no_brackets() -> None:
    assert option_value('a, b,3', ['x']) == ['a', 'b', 3]
    assert option_value('a,b', ('x',)) == ['a', 'b']
    assert option_value('none', {'a': 1}) is None


def test_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    assert option_value('~/images, all', 'data') == '/home/me/images, all'
