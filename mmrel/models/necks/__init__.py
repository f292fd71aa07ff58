from .mlp import MLPNeck

__all__ = ['MLPNeck']
