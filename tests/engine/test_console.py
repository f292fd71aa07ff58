import io
import logging
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmrel.apis import build_runner, load_config
from mmrel.engine.console import filter_console
from tests.commands import TINY


def test_what_runs_is_on_the_console_and_all_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = build_runner(load_config(str(TINY), work_dir=str(tmp_path)))
    runner.logger.info('Epoch(train) [1][2/6]')
    runner.logger.info('Exp name: tiny')
    runner.logger.info('paramwise_options -- head.fc.bias:weight_decay=0.0')
    runner.logger.warning('careful')
    runner.logger.error('"FileClient" will be deprecated, as an error')
    screen = capsys.readouterr().out
    log = Path(runner.logger.log_file).read_text()
    for text in (
        'Config:',
        'Hooks will be executed',
        'System environment',
        'SyncBatchNorm',
        'Exp name: ',
    ):
        assert text not in screen
        assert text in log
    for text in (
        f'all settings and details: {runner.logger.log_file}',
        'Epoch(train) [1][2/6]',
        'careful',
        'as an error',
    ):
        assert text in screen
        assert text in log
    assert len(screen.splitlines()) < 9


@pytest.mark.parametrize(('level', 'file'), [('DEBUG', True), ('INFO', False)])
def test_nothing_is_left_out_of_a_debug_console_or_without_a_file(
    tmp_path: Path, level: str, file: bool
) -> None:
    log_file = str(tmp_path / 'a.log') if file else None
    logger = MMLogger(f'console {level}', log_level=level, log_file=log_file)
    filter_console(logger)
    (stream,) = (h for h in logger.handlers if not isinstance(h, logging.FileHandler))
    stream.setStream(io.StringIO())
    message = f'Config:\n{Config(dict(a=1)).pretty_text}'
    logger.info(message)
    assert message in stream.stream.getvalue()
