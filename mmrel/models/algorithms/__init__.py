from .ressl import ReSSL
from .wcl import WCL

__all__ = ['ReSSL', 'WCL']
