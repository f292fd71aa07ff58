"""Model wrappers, and joining and leaving a process group on the CPU."""

import os
from collections.abc import Iterator

import pytest
import torch
from mmengine.dist import is_distributed
from mmengine.model import BaseModel, is_model_wrapper

from mmrel.engine import AnyDeviceDataParallel, ReplicaParallel
from mmrel.engine.distributed import init_cpu_processes, leave_processes, unwrap
from tests.distributed import free_port


class _Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, data_samples: object = None, mode: str = 'tensor') -> object:
        out = self.layer(x)
        return dict(loss=out.sum()) if mode == 'loss' else out


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a launcher with one process."""
    monkeypatch.setattr('mmrel.engine.distributed.get_device', lambda: 'cpu')
    for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT'):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', str(free_port()))
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def test_slurms_numbers_are_those_of_the_ranks(
    one_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in dict(SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_LOCALID='3').items():
        monkeypatch.setenv(key, value)
    with monkeypatch.context() as context:
        # setenv and delenv make the context restore what the function sets.
        for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
            context.setenv(key, '')
            context.delenv(key)
        init_cpu_processes('slurm', 20)
        assert [os.environ[key] for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')] == ['0', '1', '3']
        assert torch.distributed.get_backend() == 'gloo'
        leave_processes()
        assert not is_distributed()
        leave_processes()  # nothing is left to leave


def test_a_wrapped_cpu_model_trains_like_the_model(
    one_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the Runner's ``device_ids``, which torch refuses for a CPU model."""
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '1')
    init_cpu_processes('pytorch')
    model, x = _Model(), torch.randn(3, 2)
    wrapped = AnyDeviceDataParallel(model, device_ids=[0])
    assert not wrapped.broadcast_buffers
    wrapped(x, mode='loss')['loss'].backward()
    torch.testing.assert_close(model.layer.weight.grad, x.sum(0, keepdim=True))
    assert unwrap(wrapped) is model


def test_without_a_launcher_there_is_no_group(one_process: None) -> None:
    init_cpu_processes('none', 5)
    assert not torch.distributed.is_initialized()


def test_a_replica_passes_each_call_to_its_model() -> None:
    class Model(_Model):
        def train_step(self, data: object, optim_wrapper: object) -> tuple:
            return 'train', data, optim_wrapper

        def val_step(self, data: object) -> tuple:
            return 'val', data

        def test_step(self, data: object) -> tuple:
            return 'test', data

    model, x = Model(), torch.randn(3, 2)
    replica = ReplicaParallel(model)
    assert is_model_wrapper(replica)
    assert unwrap(replica) is model
    assert unwrap(model) is model
    assert torch.equal(replica(x, mode='tensor'), model.layer(x))
    assert replica.train_step(1, optim_wrapper=2) == ('train', 1, 2)
    assert replica.val_step(3) == ('val', 3)
    assert replica.test_step(data=4) == ('test', 4)


@pytest.mark.parametrize('timeout', [0, -1, '10'])
def test_a_wrong_timeout_is_refused(timeout: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('mmrel.engine.distributed.get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match=r'dist_cfg\.timeout=.* a positive number of seconds'):
        init_cpu_processes('pytorch', timeout)
