"""Parameter networks: architectures as torch modules over plain tensors, one file per kind.

Their source is what an emitted file contains, so beside torch they use only what such a file can copy.
"""

from compiler.networks.building_networks import blueprint
from compiler.networks.interface import VALUE, Network, ParentInput, Setup
from compiler.networks.user_module import UserModuleError, found_beside, look_beside

__all__ = ["VALUE", "Network", "ParentInput", "Setup", "UserModuleError", "blueprint", "found_beside", "look_beside"]
