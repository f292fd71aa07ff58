from .fractional_cosine import FractionalCosineLR

__all__ = ['FractionalCosineLR']
