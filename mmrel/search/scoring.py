"""Score paths of a supernet, as a test loop."""

import copy
import os
from collections.abc import Callable
from itertools import islice
from typing import Any

from mmengine.dist import barrier, get_rank, get_world_size, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmrel.engine.distributed import unwrap
from mmrel.engine.plain_loader import fixed_loader, whole_loader
from mmrel.engine.summary import count
from mmrel.registry import LOOPS
from mmrel.spaces import check_searchable
from mmrel.utils.checks import check_count
from mmrel.utils.files import write_atomically
from mmrel.utils.json_lines import format_rows, read_rows
from mmrel.utils.state_dict import state_digest

from .budget import path_costs
from .calibration import batches_needed, prepared
from .held_out import HeldOutImages, PathScore, dataset_digest, path_score
from .path_files import read_paths

# Images for the check of the model. Not 1 or 2, which may be the number of sides.
_CHECKED = 3


class PathScoringLoop(BaseLoop):
    """Base class of the loops that score paths of a supernet on held-out images.

    Args:
        runner (Runner): The runner. Its model must be a
            :class:`mmrel.spaces.SearchableModel`.
        dataloader (dict): The held-out images. Every rank reads all of them.
        evaluator (Evaluator | dict | list, optional): Unused: a path's score is
            always its top-1 accuracy, beside its loss. mmengine requires one in a config.
        cache_images (str | bool): See :class:`.HeldOutImages`. Defaults to 'auto'.
        cache_limit_mb (float): See :class:`.HeldOutImages`. Defaults to 4096.
        autocast (bool): Whether to use bf16 autocast. Defaults to False.
        calibration_dataloader (dict, optional): Changes to the loader of the
            calibration batches, for models that use them. They are merged into
            the default: the training set, read like the held-out images. Defaults
            to None: no changes.
        seed (int): Seed for the calibration images and the search. Defaults to 0.
        log_interval (int): Number of paths per log line. Defaults to 10.

    Raises:
        TypeError: If the model is not a :class:`mmrel.spaces.SearchableModel`.
        ValueError: If a setting is out of range.
    """

    # For the run's first lines (mmrel.engine.summary).
    role_of_images = 'held-out'

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list | None = None,
        cache_images: str | bool = 'auto',
        cache_limit_mb: float = 4096,
        autocast: bool = False,
        calibration_dataloader: dict | None = None,
        seed: int = 0,
        log_interval: int = 10,
    ) -> None:
        self.model = unwrap(runner.model)
        check_count(1, 'test_cfg', log_interval=log_interval)
        self._loader_config: Any = dataloader
        if isinstance(dataloader, dict):
            dataloader = whole_loader(dataloader, runner.seed)
        super().__init__(runner, dataloader)
        self.images = HeldOutImages(self.dataloader, cache_images, cache_limit_mb)
        check_searchable(self.model, self.images.first(_CHECKED))
        self.space = self.model.space
        self.autocast, self.seed = autocast, seed
        self.calibration_dataloader = calibration_dataloader
        self.log_interval = log_interval
        self._calibration: list[Tensor] | None = None
        self._calibrated_on: dict | None = None

    def _identity(self) -> dict:
        """Values that comparable scores have in common, for JSON. Call :meth:`_prepare` first."""
        return dict(
            checkpoint=state_digest(self.model),
            held_out=f'{len(self.images)} images, {self.images.digest()}',
            autocast=self.autocast,
            calibration=self._calibrated_on,
        )

    def _prepare(self) -> None:
        """Load what all paths share."""
        self.model.eval()
        count = batches_needed(self.model)
        if count > 0 and self._calibration is None:
            self._calibration = self._read_calibration(count)

    def _read_calibration(self, count: int) -> list[Tensor]:
        """The same random images for every path, as the model's inputs."""
        loader = fixed_loader(
            self.runner.cfg,
            copy.deepcopy(self._loader_config),
            self.calibration_dataloader or {},
            self.seed,
        )
        if len(loader) < count:
            raise ValueError(
                f'a path is calibrated on {count} batches (model.calibration_batches), but the '
                f'training set has only {len(loader)} batches of {loader.batch_size} '
                "(test_cfg.calibration_dataloader.batch_size, by default test_dataloader's): "
                'lower one of the two'
            )
        self._calibrated_on = dict(
            batches=count, batch_size=loader.batch_size, images=dataset_digest(loader.dataset)
        )
        return [
            self.model.data_preprocessor(dict(inputs=batch['inputs']), False)['inputs']
            for batch in islice(loader, count)
        ]

    def _score(self, path: dict, each_batch: Callable[[], None] = lambda: None) -> PathScore:
        with prepared(self.model, path, self._calibration):
            return path_score(self.model, path, self.images, self.autocast, each_batch)


@LOOPS.register_module()
class ScorePathsLoop(PathScoringLoop):
    """Scores given paths, as ``test_cfg``. Existing scores are kept.

    Args:
        runner (Runner): See the base class.
        dataloader (dict): See the base class.
        paths (str): File with one path per line, either the path itself as JSON or
            an object with the path under ``path``.
        out (str): File that gets one line per path: ``path``, ``score`` (top-1 in
            percent), ``loss`` (mean cross entropy, which rarely has ties), ``flops``,
            ``parameters``, ``key``, and digests of checkpoint and space.
        **kwargs: See the base class.

    Raises:
        FileNotFoundError: If ``paths`` does not exist.
        ValueError: If a path does not belong to the model's space.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list | None = None,
        *,
        paths: str,
        out: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, **kwargs)
        self.paths = read_paths(paths, self.space)
        self.out = out

    def plan(self) -> str:
        """What the run will do, for its first lines."""
        return f'{count(len(self.paths), "path")} will be scored'

    def run(self) -> dict:
        """Score the paths.

        Returns:
            dict: ``search/paths``, the number of scored paths.

        Raises:
            ValueError: If ``out`` holds scores of another checkpoint or space.
        """
        self.runner.call_hook('before_test')
        self._prepare()
        identity = dict(self._identity(), space=self.space.fingerprint())
        rows = read_rows(self.out, half_line=True) if os.path.isfile(self.out) else []
        for row in rows:
            if {key: row.get(key) for key in identity} != identity:
                raise ValueError(
                    f'{self.out!r} holds scores of another checkpoint, space, held-out set or '
                    'calibration: use another file'
                )
        done = {row['key'] for row in rows}
        by_key = {self.space.key(path): path for path in self.paths}
        todo = [(key, path) for key, path in by_key.items() if key not in done]
        barrier()
        if is_main_process():  # drop an incomplete last line
            write_atomically(format_rows(rows).encode(), self.out)
        barrier()
        for i, (key, path) in enumerate(todo[get_rank() :: get_world_size()], 1):
            score, loss = self._score(path)
            row = dict(
                path=path,
                score=score,
                loss=loss,
                **path_costs(self.space, path),
                key=key,
                **identity,
            )
            # A single write, so that lines appended by different processes do not interleave.
            with open(self.out, 'a') as file:
                file.write(format_rows([row]))
            if i % self.log_interval == 0 or i == len(todo):
                self.runner.logger.info(f'scored {i} of {len(todo)} paths, the last {score:.2f}')
        barrier()
        self.runner.call_hook('after_test')
        return {'search/paths': len(by_key)}
