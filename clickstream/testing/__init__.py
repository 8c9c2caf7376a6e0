"""The proof for applications of others: ``check`` the laws of a fold, or let it live in a ``World``. Public; needs the extra
``testing``. ``clickstream simulate`` runs an application in whole fleets."""

from clickstream.load.proving.world import World
from clickstream.testing.checking import BrokenLaw, check, upcasts

__all__ = ["BrokenLaw", "World", "check", "upcasts"]
