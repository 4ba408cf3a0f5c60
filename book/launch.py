"""Where the repository lies in public, and so whether pages get buttons that open a chapter on Binder or Colab."""

import os
import re
import subprocess
import sys

import yaml

GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+?(?:\.git)?/?")  # no user name, no token
SERVICES = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def repository(root):
    """Return the public address of the repository, or None where there is none.

    ``$REPOSITORY`` says it (``make book REPOSITORY=https://github.com/you/naturalistic``), and if it is empty, that
    there is none. Where nothing is said, it is the address that the folder ``root`` was cloned from.
    """
    said = os.environ.get("REPOSITORY")
    if said and not GITHUB.fullmatch(said):
        sys.exit(f"REPOSITORY is {said}, expected an address such as https://github.com/you/naturalistic")
    address = _cloned_from(root) if said is None else said
    return re.sub(r"(\.git)?/?$", "", address) if GITHUB.fullmatch(address) else None


def with_buttons(config, address, branch):
    """Return the text of a _config.yml with buttons to the repository, to Binder and to Colab.

    They are options of the theme: Jupyter Book's own keys would be lost beside `html_theme_options` of the file.
    """
    read = yaml.safe_load(config)
    options = read.setdefault("sphinx", {}).setdefault("config", {}).setdefault("html_theme_options", {})
    options |= {"repository_url": address, "repository_branch": branch, "use_repository_button": True}
    options["launch_buttons"] = SERVICES
    return yaml.safe_dump(read, sort_keys=False, allow_unicode=True)


def _cloned_from(root):
    """Return the address of a folder's git remote; '' where there is no git, no remote, or the folder is no clone."""
    if not (root / ".git").exists():  # of a folder inside another clone, git would tell the other's
        return ""
    try:
        found = subprocess.run(["git", "-C", str(root), "remote", "get-url", "origin"], capture_output=True, text=True)
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
