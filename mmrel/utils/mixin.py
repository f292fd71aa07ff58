"""The base class of mixins."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # A mixin uses attributes and `super()` methods of the class that it is mixed into.
    Mixin: Any
else:
    Mixin = object

__all__ = ['Mixin']
