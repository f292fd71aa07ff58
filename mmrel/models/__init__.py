from .algorithms import *
from .backbones import *
from .heads import *
from .layers import *
from .memories import *
from .necks import *
from .supernets import *
from .utils import *
