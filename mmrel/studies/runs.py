"""Lists of training runs: finished ones are rows of a file, the others are started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from os import PathLike
from pathlib import Path
from statistics import mean
from typing import Any

from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mmrel.utils.checks import check_count
from mmrel.utils.json_lines import finished_rows, format_rows
from mmrel.utils.package import package_root
from mmrel.utils.renamed import current_path
from mmrel.visualization import find_scalars, read_scalars


def config_path(config: str) -> str:
    """A config's path, relative to the current folder or to the repository."""
    config = current_path(config)
    return config if os.path.isfile(config) else current_path(str(package_root() / config))


def read_run(work_dir: Path, metric: str, scalars: Sequence[str] = ()) -> dict[str, Any]:
    """The curves of a finished run.

    Args:
        work_dir (Path): The run's folder.
        metric (str): The metric of its validations.
        scalars (Sequence[str]): Other scalars to read, averaged over each epoch. Those
            that the run does not have are left out. Defaults to none.

    Returns:
        dict: ``curve``, pairs of epoch and metric; ``loss``, pairs of epoch and mean
        loss; ``scalars``, such pairs by name, if there are any.

    Raises:
        FileNotFoundError: If the run has no log.
        KeyError: If no validation has the metric.
    """
    logged = read_scalars(*find_scalars(work_dir))
    curve = [[line['step'], round(line[metric], 4)] for line in logged.val if metric in line]
    if not curve:
        raise KeyError(f'no {metric!r} in the logs of {work_dir}')
    ends = {line['epoch']: line for line in logged.train if 'loss_epoch' in line}
    run: dict[str, Any] = dict(
        curve=curve, loss=[[epoch, round(line['loss_epoch'], 4)] for epoch, line in ends.items()]
    )
    for name in scalars:
        by_epoch: dict[int, list[float]] = {}
        for line in (*logged.train, *logged.val):
            if name in line:
                by_epoch.setdefault(line.get('epoch', line['step']), []).append(line[name])
        if by_epoch:
            means = [[epoch, round(mean(values), 4)] for epoch, values in by_epoch.items()]
            run.setdefault('scalars', {})[name] = means
    return run


class Runs:
    """Runs whose results are the rows of a file. A second start does only what is missing.

    Args:
        file (str | PathLike): The rows, one JSON object per line. An incomplete last line,
            left by a killed process, is removed.
        key (Callable): Maps a row to the key of its run; to None if the row does not count.
        jobs (int): Number of concurrent runs. Defaults to 1.
        threads (int, optional): CPU threads per run. Defaults to None: the jobs share
            all cores.

    Attributes:
        rows (list[dict]): The rows of all finished runs.
    """

    def __init__(
        self,
        file: str | PathLike,
        key: Callable[[dict], Hashable | None],
        jobs: int = 1,
        threads: int | None = None,
    ) -> None:
        check_count(1, '', jobs=jobs, threads=threads)
        self._file, self._key, self._jobs = Path(file), key, jobs
        self._threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        self.rows = finished_rows(file)
        # Guards the rows, the list of processes and the flag that all runs were ended.
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen] = []
        self._ended = False

    def by_key(self) -> dict[Any, dict]:
        """The last row of each run, by key."""
        found = {self._key(row): row for row in self.rows}
        found.pop(None, None)
        return found

    def complete(self, tasks: Mapping[Any, Callable[[], dict]], title: str) -> None:
        """Run the tasks whose key has no row yet, with a progress bar, and store their rows.

        The processes that :meth:`train` starts end with this process, also on Ctrl-C and
        SIGTERM.

        Args:
            tasks (Mapping): For each key, the function that does the run and returns its row.
            title (str): What to call the tasks on the console.

        Raises:
            Exception: The first error of a task. The other runs are ended.
        """
        self._processes, self._ended = [], False
        done = self.by_key()
        left = [task for key, task in tasks.items() if key not in done]
        # SIGTERM raises an exception here, as Ctrl-C does.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        columns = SpinnerColumn(), TextColumn('{task.description}'), MofNCompleteColumn()
        try:
            with (
                Progress(*columns, TimeElapsedColumn()) as progress,
                ThreadPoolExecutor(self._jobs) as pool,
            ):
                bar = progress.add_task(f'{title} ({len(tasks)} in total)', total=len(left))
                futures = [pool.submit(self._finish, task) for task in left]
                try:
                    for future in as_completed(futures):
                        future.result()
                        progress.advance(bar)
                except BaseException:
                    for future in futures:
                        future.cancel()
                    self._end()
                    raise
        finally:
            signal.signal(signal.SIGTERM, before)

    def _finish(self, task: Callable[[], dict]) -> None:
        row = task()
        with self._lock, self._file.open('a') as file:
            self.rows.append(row)
            file.write(format_rows([row]))

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.terminate()

    def train(self, config: str, options: Mapping, seed: int, work_dir: Path) -> None:
        """Run ``tools/train.py``, which resumes a run that was stopped.

        Args:
            config (str): A config (:func:`config_path`).
            options (Mapping): Config overrides.
            seed (int): The run's seed.
            work_dir (Path): The run's folder. The output goes to its ``log.txt``.

        Raises:
            RuntimeError: If the run fails. The message has its last error.
        """
        options = {**options, 'randomness.seed': seed}
        command = [sys.executable, str(package_root() / 'tools/train.py'), config_path(config)]
        command += ['--work-dir', str(work_dir), '--resume', '--cfg-options']
        command += [f'{key}={value}' for key, value in options.items()]
        environment = dict(os.environ, OMP_NUM_THREADS=str(self._threads))
        work_dir.mkdir(parents=True, exist_ok=True)
        path = work_dir / 'log.txt'
        with path.open('a') as log:
            with self._lock:
                if self._ended:
                    raise RuntimeError('the other runs were ended')
                process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
                self._processes.append(process)
            if process.wait() != 0:
                lines = path.read_text().strip().splitlines()
                errors = [line for line in lines if line.startswith('error: ')]
                last = ''.join((errors or lines)[-1:])
                raise RuntimeError(f'a run failed ({last}): see {path}')

    def results(
        self,
        config: str,
        options: Mapping,
        seed: int,
        work_dir: Path,
        metric: str,
        scalars: Sequence[str] = (),
    ) -> dict[str, Any]:
        """:meth:`train`, then :func:`read_run`.

        A run that was stopped between its last checkpoint and the validation after it has
        nothing to resume and no metric. It is repeated.

        Args:
            config (str): As in :meth:`train`.
            options (Mapping): As in :meth:`train`.
            seed (int): As in :meth:`train`.
            work_dir (Path): As in :meth:`train`.
            metric (str): As in :func:`read_run`.
            scalars (Sequence[str]): As in :func:`read_run`. Defaults to none.

        Returns:
            dict: As from :func:`read_run`.

        Raises:
            RuntimeError: If the run fails.
            KeyError: If no validation has the metric.
        """
        self.train(config, options, seed, work_dir)
        try:
            return read_run(work_dir, metric, scalars)
        except KeyError:
            for checkpoint in work_dir.glob('*.pth'):
                checkpoint.unlink()
            (work_dir / 'last_checkpoint').unlink(missing_ok=True)
            self.train(config, options, seed, work_dir)
            return read_run(work_dir, metric, scalars)
