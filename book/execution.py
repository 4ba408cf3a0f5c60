"""Chapters run by papermill, with patience for a busy machine."""

import papermill

TRIES = 3
LATE = 60  # s that the last output of a cell may take; nbclient gives up after 4


def execute(source, target, parameters, **how):
    """Run a notebook by papermill, as `patiently` does.

    Parameters
    ----------
    source, target : str
    parameters : dict
    **how
        Of `papermill.execute_notebook`.

    Raises
    ------
    RuntimeError
        If the kernel died at its start each time.
    papermill.PapermillExecutionError
        If a cell failed; at once.
    """
    how = {"kernel_name": "python3", "iopub_timeout": LATE} | how
    return patiently(lambda: papermill.execute_notebook(source, target, parameters, **how))


def patiently(run):
    """Return what ``run()`` returns; where it ends because a kernel never came to life, it is called again.

    jupyter_client looks for free ports and hands them to a kernel that takes them a second later: where two kernels
    start side by side, one of them may find its port taken, and dies.
    """
    for left in reversed(range(TRIES)):
        try:
            return run()
        except RuntimeError as error:
            if not left or "died before replying" not in str(error):
                raise
