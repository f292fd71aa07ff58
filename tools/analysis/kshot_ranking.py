#!/usr/bin/env python
"""Compare how supernets with K dictionaries and stand-alone training rank paths.

Trains random paths alone, and supernets for each K and seed with one schedule. Then scores all
paths in each supernet, with BN statistics of each path from a fixed set of training images, and
compares the rankings by Kendall's tau, with 95% intervals by resampling the paths. With several
--alone-seeds, the truth is the mean of a path's runs, and how well the runs agree with each other
is the most that a supernet can be expected to reach. Each finished run is a row of
WORK_DIR/rows.jsonl. A stopped study continues where it was and resumes the current run from its
last checkpoint. Cells that pass nothing on are left out, because their accuracy is at chance level.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from mmrel.apis import get_model, load_config
from mmrel.engine import fixed_batches
from mmrel.engine.loaders import build_dataloader
from mmrel.registry import SEARCH_SPACES
from mmrel.search.estimates import kendall_tau, mean_kendall_tau
from mmrel.spaces import CodedSpace
from mmrel.studies.runs import Runs, config_path
from mmrel.utils.command_line import ConfigOptions, run_command
from mmrel.visualization import plot_ranking

METRIC = 'accuracy/top1'
SUPERNET = 'configs/kshot/kshot-k4_nb201-c8_1xb64-coslr-60e_imagefolder32.py'
ALONE = 'configs/kshot/retrain/kshot_cellnet-c8_1xb64-coslr-30e_imagefolder32.py'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--work-dir', required=True, help='folder for rows, runs and the plot')
    parser.add_argument('--paths', type=int, default=40, help='paths to train alone (default: 40)')
    parser.add_argument(
        '--path-seed', type=int, default=0, help='seed of the random paths (default: 0)'
    )
    parser.add_argument(
        '--k', nargs='+', type=int, default=[1, 4], help='numbers of dictionaries (default: 1 4)'
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        help='seeds of the supernets (default: 0 1 2)',
    )
    parser.add_argument('--epochs', type=int, default=60, help='epochs of a supernet (default: 60)')
    parser.add_argument(
        '--alone-epochs', type=int, default=10, help='epochs of a path alone (default: 10)'
    )
    parser.add_argument(
        '--alone-seeds', nargs='+', type=int, default=[0],
        help='seeds of a path alone; two or more measure the noise of the truth (default: 0)',
    )  # fmt: skip
    parser.add_argument('--jobs', type=int, default=1, help='concurrent runs (default: 1)')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads per run (default: 2)')
    parser.add_argument('--amp', action='store_true', help='bf16 mixed precision')
    parser.add_argument('--supernet', default=SUPERNET, help='config of the supernets')
    parser.add_argument('--alone', default=ALONE, help='config of a path alone')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='config overrides for all runs, such as your folders; those of the model apply to the '
        'supernets only, because a path alone takes its network from the space',
    )
    parser.add_argument(
        '--supernet-options',
        nargs='+',
        action=ConfigOptions,
        help='config overrides for the supernets only',
    )
    args = parser.parse_args(argv)
    if args.paths < 2:
        parser.error(f'--paths {args.paths}: must be at least 2')
    for key in ('jobs', 'threads', 'epochs', 'alone_epochs'):
        if getattr(args, key) < 1:
            parser.error(f'--{key.replace("_", "-")} {getattr(args, key)}: must be at least 1')
    return args


def choose_paths(space: CodedSpace, number: int, seed: int) -> list[dict]:
    """Random paths that compute different functions, without those that see no input."""
    generator, chosen = np.random.default_rng(seed), {}
    for _ in range(100 * number):
        indices = space.canonical(space.sample_indices(1, generator))
        if len(chosen) == number:
            return list(chosen.values())
        path = space.paths(indices)[0]
        if not space.is_dead(path):
            chosen.setdefault(space.function_key(path), path)
    raise ValueError(f'--paths {number}: the space has too few different networks; use fewer paths')


def schedule(epochs: int, amp: bool) -> dict[str, Any]:
    """Config options for a run of ``epochs`` that validates at its end."""
    options = {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
    }
    return {**options, 'optim_wrapper.type': 'AutocastOptimWrapper'} if amp else options


@torch.no_grad()
def score(config: str, checkpoint: Path, options: dict, paths: list[dict]) -> list[float]:
    """Top-1 accuracy of each path in a supernet, in percent."""
    cfg = load_config(config_path(config), options)
    model = get_model(cfg, checkpoint, device=get_device())
    batches = fixed_batches(cfg, cfg.val_dataloader, model.calibration_batches)
    images, size = sum(len(batch['inputs']) for batch in batches), cfg.val_dataloader.batch_size
    if images < model.calibration_batches * size:
        raise ValueError(
            f'model.calibration_batches={model.calibration_batches} with val_dataloader.batch_size='
            f'{size} needs more than the {images} training images: lower one of them'
        )
    inputs = [model.data_preprocessor(batch, False)['inputs'] for batch in batches]
    loader = build_dataloader(dict(cfg.val_dataloader, persistent_workers=False))
    test = [model.data_preprocessor(batch, False) for batch in loader]
    labels = [torch.cat([s.gt_label for s in batch['data_samples']]) for batch in test]
    scores = []
    for path in paths:
        model.prepare_path(path, inputs)
        right = sum(
            (model.path_logits(batch['inputs'], path)[0].argmax(1) == label).sum().item()
            for batch, label in zip(test, labels, strict=True)
        )
        scores.append(100 * right / sum(map(len, labels)))
    return scores


class Study:
    """The finished rows, and the remaining runs."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.work_dir = args, Path(args.work_dir)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.options = dict(args.cfg_options or {})
        supernet = load_config(config_path(args.supernet), self._supernet_options(1, 0))
        self.space = SEARCH_SPACES.build(supernet.model.space)
        self.paths = choose_paths(self.space, args.paths, args.path_seed)
        # Rows from other settings belong to another study.
        given = {**self.options, **(args.supernet_options or {})}
        setting = dict(
            space=self.space.fingerprint(), epochs=args.epochs, alone_epochs=args.alone_epochs,
            amp=args.amp, supernet=args.supernet, alone=args.alone, path_seed=args.path_seed,
            options={key: str(value) for key, value in sorted(given.items())},
        )  # fmt: skip
        note = self.work_dir / 'setting.json'
        if note.exists() and json.loads(note.read_text()) != setting:
            raise ValueError(f'{note} has other settings than this command: use another --work-dir')
        note.write_text(json.dumps(setting, indent=1))
        self.runs = Runs(self.work_dir / 'rows.jsonl', self._key, args.jobs, args.threads)

    def _supernet_options(self, k: int, seed: int) -> dict:
        args = self.args
        own = {'model.k': k, 'model.seed': seed, **(args.supernet_options or {})}
        return {**schedule(args.epochs, args.amp), **self.options, **own}

    def _key(self, row: dict) -> tuple | None:
        """The run of a row (older ones lack a seed); None for a supernet with missing scores."""
        if row['kind'] == 'alone':
            return 'alone', row['key'], row.get('seed', 0)
        complete = {self.space.key(path) for path in self.paths} <= row['scores'].keys()
        return ('supernet', row['k'], row['seed']) if complete else None

    def alone(self, path: dict, seed: int) -> dict:
        """Train a path's network alone."""
        key = self.space.key(path)
        folder = self.work_dir / (f'alone-{key}-seed{seed}' if seed else f'alone-{key}')
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / 'alone.py'
        config.write_text(
            f'_base_ = [{str(Path(config_path(self.args.alone)).resolve())!r}]\n'
            f'model = {dict(_delete_=True, **self.space.subnet(path))!r}\n'
        )
        own = {k: v for k, v in self.options.items() if not k.startswith('model.')}
        options = {**schedule(self.args.alone_epochs, self.args.amp), **own}
        found = self.runs.results(str(config.resolve()), options, seed, folder, METRIC)
        accuracy = found['curve'][-1][1]
        return dict(kind='alone', key=key, seed=seed, path=path, accuracy=accuracy)

    def supernet(self, k: int, seed: int) -> dict:
        """Train a supernet and score all paths."""
        folder, options = self.work_dir / f'k{k}-seed{seed}', self._supernet_options(k, seed)
        self.runs.train(self.args.supernet, options, seed, folder)
        checkpoint = folder / f'epoch_{self.args.epochs}.pth'
        scores = score(self.args.supernet, checkpoint, options, self.paths)
        keys = [self.space.key(path) for path in self.paths]
        return dict(kind='supernet', k=k, seed=seed, scores=dict(zip(keys, scores, strict=True)))

    def run(self) -> None:
        """Do the runs that have no row yet."""
        args = self.args
        tasks: dict[tuple, Callable[[], dict]] = {
            ('supernet', k, seed): partial(self.supernet, k, seed)
            for seed in args.seeds
            for k in args.k
        }
        tasks |= {
            ('alone', self.space.key(path), seed): partial(self.alone, path, seed)
            for seed in args.alone_seeds
            for path in self.paths
        }
        self.runs.complete(tasks, 'runs')

    def report(self) -> None:
        """Print a table of Kendall's tau for each supernet, and plot the scores."""
        keys = [self.space.key(path) for path in self.paths]
        found = self.runs.by_key()
        runs = np.array(
            [
                [found['alone', key, seed]['accuracy'] for key in keys]
                for seed in self.args.alone_seeds
            ]
        )
        alone = runs.mean(axis=0)
        panels: dict[str, list] = {f'K = {k}': [] for k in self.args.k}
        for k in sorted(set(self.args.k)):
            for seed in sorted(set(self.args.seeds)):
                row = found['supernet', k, seed]
                scores = np.array([row['scores'][key] for key in keys])
                try:
                    tau = kendall_tau(scores, alone)
                except ValueError as error:  # too few paths, or all scores are equal
                    print(f'K = {k}, seed {seed} is left out: {error}')
                    continue
                panels[f'K = {k}'].append(dict(seed=seed, scores=scores, tau=tau))
        print(f"Kendall's tau over {len(keys)} paths, with 95% intervals")
        print('| supernet | by seed | mean | std of the seeds |\n|---|---|---|---|')
        for title, rows in panels.items():
            if not rows:
                continue
            taus = [row['tau'] for row in rows]
            spread = f'{statistics.stdev(t.value for t in taus):.3f}' if len(taus) > 1 else ''
            mean = mean_kendall_tau([row['scores'] for row in rows], alone)
            print(f'| {title} | {", ".join(map(str, taus))} | {mean} | {spread} |')
        self._report_noise(runs)
        if not any(panels.values()):
            return
        plot_ranking(alone.tolist(), panels, self.work_dir / 'ranking.png')
        print(f'wrote {self.work_dir / "ranking.png"}')

    def _report_noise(self, runs: np.ndarray) -> None:
        """Print how well the trainings alone agree with each other."""
        if len(runs) < 2:
            print(
                'the noise of the truth is not known: each path was trained alone with one seed; '
                'give --alone-seeds 0 1'
            )
            return
        std = float(np.sqrt(runs.var(axis=0, ddof=1).mean()))
        print(
            f'noise of the truth: standard deviation {std:.2f} between seeds of a path alone; '
            f"Kendall's tau of the first two seeds {kendall_tau(runs[0], runs[1])}"
        )


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    init_default_scope('mmrel')
    study = Study(args)
    study.run()
    study.report()


if __name__ == '__main__':
    run_command(main)
