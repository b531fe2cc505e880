"""Parameter networks: architectures as torch modules over plain tensors, one file per kind.

Their source is what an emitted file contains, so beside torch they use only what such a file can copy.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from compiler.networks.interface import VALUE, Network, ParentInput, Setup
from compiler.networks.user_module import UserModuleError, found_beside, look_beside

for _module in iter_modules([str(Path(__file__).parent)]):  # each kind registers itself
    import_module(f"compiler.networks.{_module.name}")

__all__ = ["VALUE", "Network", "ParentInput", "Setup", "UserModuleError", "found_beside", "look_beside"]
