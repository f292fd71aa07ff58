#!/usr/bin/env python
"""Kill a training or search at random moments, resume it, and compare with an uninterrupted run.

Losses, validation records and checkpoints (of a search: paths and scores) must be exactly equal.
This holds on a CPU, and on a GPU if its kernels are deterministic. Runs are killed by SIGKILL at
any time, even during checkpoint writes and validations. Everything is imported once and each start
is a fork of this process, so a start takes a fraction of a second.
"""

import argparse
import ctypes
import importlib.util
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmrel.apis import load_config
from mmrel.engine.runner import Runner
from mmrel.studies.run_difference import search_difference, training_difference
from mmrel.utils.command_line import run_command
from mmrel.utils.json_lines import format_rows

# Events that a run reports through the pipe: begin, save, validate. Capitals mark their ends.
BEGIN, SAVE, VALIDATE = b'b', b's', b'v'
PR_SET_PDEATHSIG = 1
NAMES = {BEGIN: 'time', SAVE: 'checkpoint', VALIDATE: 'validation'}


@dataclass
class Moment:
    """When to kill: ``delay`` seconds after the ``count``-th event of a kind."""

    event: bytes
    count: int
    delay: float

    def __str__(self) -> str:
        what = NAMES[self.event] + (f' {self.count}' if self.event != BEGIN else '')
        return f'{what} + {self.delay * 1000:.0f} ms'


@dataclass
class Start:
    """One start of a run: how it ended, and its events with their times in seconds."""

    code: int | None = None
    events: list[tuple[float, bytes]] = field(default_factory=list)
    end: float = 0.0

    def length(self, event: bytes) -> float:
        """The longest time from an event of a kind to its end."""
        starts = [at for at, name in self.events if name == event]
        ends = [at for at, name in self.events if name == event.upper()] or [self.end]
        spans = [min((e for e in ends if e >= at), default=self.end) - at for at in starts]
        return max(spans, default=0.0)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file of a training or a search')
    parser.add_argument('checkpoint', nargs='?', help='supernet checkpoint, for a search')
    parser.add_argument('--work-dir', help='new folder (default: work_dirs/kill_resume/CONFIG)')
    parser.add_argument('--runs', type=int, default=20, help='number of runs to kill (default: 20)')
    parser.add_argument('--kills', type=int, default=3, help='maximum kills per run (default: 3)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the kill times (default: 0)')
    parser.add_argument('--keep', action='store_true', help='keep the folders of equal runs')
    # Passed on unchanged to train.py or search.py.
    parser.add_argument('--cfg-options', nargs='+', default=[], help='as for train.py')
    args = parser.parse_args(argv)
    for name in ('runs', 'kills'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)}: must be at least 1')
    return args


def tool(name: str) -> Any:
    """The module of tools/NAME.py."""
    path = Path(__file__).resolve().parents[1] / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'mmrel_{name}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _report_events(pipe: int) -> None:
    """Make the Runner of this process report its events."""
    call_hook, save = Runner.call_hook, Runner.save_checkpoint
    names = dict(before_run=BEGIN, before_test=BEGIN, before_val=VALIDATE)

    def call_and_say(self: Runner, name: str, **kwargs: Any) -> None:
        if name in names:
            os.write(pipe, names[name])
        call_hook(self, name, **kwargs)
        if name == 'after_val':
            os.write(pipe, VALIDATE.upper())

    def save_and_say(self: Runner, *args: Any, **kwargs: Any) -> None:
        os.write(pipe, SAVE)
        save(self, *args, **kwargs)
        os.write(pipe, SAVE.upper())

    Runner.call_hook, Runner.save_checkpoint = call_and_say, save_and_say


def _child(command: Callable, argv: list[str], console: Path, pipe: int) -> None:
    """Run a command as a separate process would. Never returns."""
    code = 1
    try:
        os.setsid()
        # If this tool is killed, its runs end too.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        file = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
        _report_events(pipe)
        command(argv)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def start(command: Callable, argv: list[str], console: Path, moment: Moment | None) -> Start:
    """Start a command in a fork, then kill it at a moment or wait for its end.

    Returns in a new second, because a run's log folder is named after the second of its start.
    """
    reading, writing = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(command, argv, console, writing)
    os.close(writing)
    result, ended, deadline = Start(), os.pidfd_open(pid), None
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = select.select([reading, ended], [], [], left)[0]
            if not ready:
                os.kill(pid, signal.SIGKILL)
                break
            now = time.monotonic()
            events = os.read(reading, 1024) if reading in ready else b''
            for name in (bytes([code]) for code in events):
                result.events.append((now - began, name))
                seen = sum(name == moment.event for _, name in result.events) if moment else 0
                if deadline is None and moment and name == moment.event and seen == moment.count:
                    deadline = now + moment.delay
            if ended in ready and not events:
                break
    finally:
        if sys.exc_info()[0] is not None:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        # Workers of a killed process would end by themselves, but seconds later.
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.close(reading)
        os.close(ended)
    result.end = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    result.code = None if code == -signal.SIGKILL else code
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.02)
    return result


def draw_moment(draw: random.Random, unbroken: Start, kills: int) -> Moment:
    """A moment within the first of ``kills`` parts of the uninterrupted run."""
    counts = Counter(name for _, name in unbroken.events)
    kinds = [BEGIN, *(event for event in (SAVE, VALIDATE) if counts[event])]
    event = draw.choice(kinds)
    if event == BEGIN:
        return Moment(BEGIN, 1, draw.random() * (unbroken.end - unbroken.events[0][0]) / kills)
    count = draw.randint(1, max(1, counts[event] // kills))
    # Also shortly after its end, because related files are written after the checkpoint.
    return Moment(event, count, draw.random() * 1.3 * unbroken.length(event))


def killed_run(
    command: Callable, argv: list[str], folder: Path, unbroken: Start, kills: int, seed: str
) -> dict:
    """Kill a run up to ``kills`` times and resume it until it ends.

    Returns:
        dict: ``kills`` (list[str]: the moments), ``starts``, ``seconds``, ``failed``. A run that
        ended before its first kill is begun again, and only its last attempt counts, except in
        ``seconds``.
    """
    draw = random.Random(seed)
    planned, done, starts, attempts = draw.randint(1, kills), [], 0, 1
    began = time.monotonic()
    while True:
        moment = draw_moment(draw, unbroken, planned) if len(done) < planned else None
        resume = ['--resume'] if starts and folder.exists() else []
        folder.mkdir(parents=True, exist_ok=True)
        result = start(command, [*argv, *resume], folder / 'console.log', moment)
        starts += 1
        if result.code is None:
            done.append(str(moment))
        elif result.code == 0 and not done and attempts < 20:
            shutil.rmtree(folder)
            starts, attempts = 0, attempts + 1
        else:
            break
    seconds = round(time.monotonic() - began, 1)
    return dict(kills=done, starts=starts, seconds=seconds, failed=bool(result.code))


def _command(args: argparse.Namespace) -> tuple[Callable, list[str], list[str], bool]:
    """The command's main, files and options, and whether it is a search."""
    options = ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    train = tool('train')
    # Reports config errors once, and imports the modules of the config.
    cfg = load_config(args.config, train.parse_args([args.config, *options]).cfg_options)
    if args.checkpoint is None and cfg.get('train_cfg'):
        return train.main, [args.config], options, False
    if args.checkpoint and not os.path.isfile(args.checkpoint):
        raise FileNotFoundError(f'checkpoint {args.checkpoint!r} does not exist')
    import optuna  # noqa: F401

    files = [args.config, *([args.checkpoint] if args.checkpoint else [])]
    return tool('search').main, files, options, True


def _log(folder: Path) -> str:
    lines = (folder / 'console.log').read_text(errors='replace').strip().splitlines()
    return lines[-1] if lines else 'no output'


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    name = Path(args.config).stem
    work_dir = Path(args.work_dir or Path('work_dirs', 'kill_resume', name))
    if work_dir.exists() and any(work_dir.iterdir()):
        raise FileExistsError(f'{str(work_dir)!r} is not empty: give a new --work-dir')
    command, files, options, search = _command(args)
    compare = search_difference if search else training_difference

    def of(folder: Path) -> list[str]:
        return [*files, '--work-dir', str(folder), *options]

    reference = work_dir / 'unbroken'
    reference.mkdir(parents=True)
    console = Console()
    columns = TextColumn('{task.description}'), MofNCompleteColumn(), TimeElapsedColumn()
    table = Table('run', 'kills', 'starts', 'seconds', 'result', title=f'{name}, seed {args.seed}')
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task('the uninterrupted run', total=args.runs)
        unbroken = start(command, of(reference), reference / 'console.log', None)
        if unbroken.code != 0:
            raise RuntimeError(
                f'the uninterrupted run failed ({_log(reference)}): see {reference / "console.log"}'
            )
        equal = 0
        for run in range(args.runs):
            progress.update(bar, description=f'{equal} of {run} runs equal')
            folder = work_dir / f'run_{run:03}'
            seed = f'{args.seed}-{run}'
            row = killed_run(command, of(folder), folder, unbroken, args.kills, seed)
            difference = _log(folder) if row.pop('failed') else compare(folder, reference)
            row = dict(run=run, seed=args.seed, **row, equal=not difference, difference=difference)
            with open(work_dir / 'runs.jsonl', 'a') as file:
                file.write(format_rows([row]))
            verdict = '[green]equal' if not difference else f'[red]{difference}'
            cells = [run, ', '.join(row['kills']), row['starts'], row['seconds']]
            table.add_row(*map(str, cells), verdict)
            if not difference:
                equal += 1
                if not args.keep:
                    shutil.rmtree(folder)
            progress.advance(bar)
    console.print(table)
    console.print(
        f'{equal} of {args.runs} runs equal the uninterrupted one ({work_dir}/runs.jsonl)'
    )
    if equal < args.runs:
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
