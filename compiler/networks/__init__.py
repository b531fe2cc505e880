"""Parameter networks: architectures as torch modules over tensors with named axes."""

from compiler.networks.building_networks import build_network
from compiler.networks.interface import VALUE, Network, ParentInput
from compiler.networks.user_module import UserModuleError, look_beside

__all__ = ["VALUE", "Network", "ParentInput", "UserModuleError", "build_network", "look_beside"]
