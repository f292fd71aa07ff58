"""Projectors and predictors: small MLPs on pooled features."""

from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmrel.models.utils.features import pool_features
from mmrel.registry import MODELS
from mmrel.utils.checks import check_count


@MODELS.register_module()
class MLPNeck(BaseModule):
    """An MLP on the backbone's pooled features.

    ``num_layers - 1`` times linear, optional norm and ReLU, then a linear layer.
    ReSSL's projector has two layers and no norm (arXiv:2107.09282, Sec. 4.1).

    Args:
        in_channels (int): Width of the pooled features. If a config leaves it out,
            mmrel's algorithms fill it in from the backbone.
        hidden_channels (int): Width of the hidden layers.
        out_channels (int): D, width of the embedding.
        num_layers (int): Number of linear layers. Defaults to 2.
        norm_cfg (dict, optional): Norm after each hidden linear layer, such
            as ``dict(type='BN1d')``. Defaults to None: no norm.
        init_cfg (dict, optional): Defaults to None: torch's own initialization.

    Raises:
        ValueError: If ``num_layers`` is below 1.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int = 2,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_count(1, 'neck', num_layers=num_layers)
        self.out_channels = out_channels
        layers: list[nn.Module] = []
        width = in_channels
        for _ in range(num_layers - 1):
            layers.append(nn.Linear(width, hidden_channels))
            if norm_cfg is not None:
                layers.append(build_norm_layer(norm_cfg, hidden_channels)[1])
            layers.append(nn.ReLU(inplace=True))
            width = hidden_channels
        layers.append(nn.Linear(width, out_channels))
        self.mlp = nn.Sequential(*layers)

    def forward(self, x: Tensor | Sequence[Tensor]) -> tuple[Tensor]:
        """Project features.

        Args:
            x (Tensor | Sequence[Tensor]): A backbone's output. The last entry is
                used; maps (B, C, H, W) are average-pooled.

        Returns:
            tuple[Tensor]: One tensor of shape (B, D), not normalized, in a tuple as
            from mmpretrain's necks.
        """
        return (self.mlp(pool_features(x)),)
