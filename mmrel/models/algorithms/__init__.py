from .ressl import ReSSL

__all__ = ['ReSSL']
