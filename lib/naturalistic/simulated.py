"""Access to the simulation, a second package that is found by name and imported when it is asked for.

Nothing else in the library imports ``naturalistic_simulation``.
"""

import importlib

PACKAGE = "naturalistic_simulation"
# small models that come with the simulation: name -> "module:function" that loads it
MODELS = {
    "mini-mulan": f"{PACKAGE}.models.embedders:load_mulan",
    "mini-ssl": f"{PACKAGE}.models.embedders:load_ssl",
    "mini": f"{PACKAGE}.models.generator:load",
}


def simulation(module="", wanted="simulated data"):
    """Return the simulation, or a module of it.

    Parameters
    ----------
    module : str
        Below the package, such as ``"training.cards"``; the package itself by default.
    wanted : str
        What needs it, for the message.

    Returns
    -------
    module : module

    Raises
    ------
    ModuleNotFoundError
        If the second package is not installed.
    """
    return _imported(f"{PACKAGE}.{module}" if module else PACKAGE, wanted)


def find_loader(path):
    """Return the function ``"module:function"`` of a registry, of the library or of the simulation.

    Parameters
    ----------
    path : str

    Returns
    -------
    function : callable

    Raises
    ------
    ModuleNotFoundError
        If it is of the simulation, and that is not installed.
    """
    module, function = path.split(":")
    name = next((name for name, known in MODELS.items() if known == path), path)
    return getattr(_imported(module, f"the model {name!r}"), function)


def _imported(module, wanted):
    try:
        return [importlib.import_module(name) for name in (module.partition(".")[0], module)][1]
    except ModuleNotFoundError as error:
        if error.name != PACKAGE:
            raise
        raise ModuleNotFoundError(
            f"{wanted} needs the package {PACKAGE}, which comes with naturalistic; it is not installed here: install "
            'naturalistic again (in a checkout: pip install -e .), or name a folder of measured data as dataset="..."',
            name=PACKAGE,
        ) from None
