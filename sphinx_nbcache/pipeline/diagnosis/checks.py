"""All checks, one after another; one that breaks is a problem, never the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from sphinx_nbcache.errors import NbCacheError
from sphinx_nbcache.pipeline.diagnosis.kernels import (
    check_forking,
    check_kernels,
    check_observation,
    check_starting,
)
from sphinx_nbcache.pipeline.diagnosis.machine import check_cores, check_memory
from sphinx_nbcache.pipeline.diagnosis.place import (
    check_cache,
    check_file_system,
    check_git,
    check_index,
)
from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark
from sphinx_nbcache.pipeline.diagnosis.software import (
    check_options,
    check_packages,
    check_plugins,
    check_python,
)

Check = Callable[[Patient], Iterable[Remark]]
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "python": check_python,
        "packages": check_packages,
        "plug-ins": check_plugins,
        "options": check_options,
        "cores": check_cores,
        "memory": check_memory,
        "cache": check_cache,
        "file system": check_file_system,
        "index": check_index,
        "git": check_git,
        "kernels": check_kernels,
        "started kernel": check_starting,
        "forked kernel": check_forking,
        "observation": check_observation,
    }
)
_REPORT = "if this is not clear from the text, report it as a bug, with the output of this command"


def diagnose(patient: Patient, checks: Mapping[str, Check] = CHECKS) -> Iterator[Remark]:
    """Yield what all checks find, as they find it."""
    for name, check in checks.items():
        try:
            remarks = list(check(patient))
        except NbCacheError as error:
            remarks = [Remark(name, Health.PROBLEM, str(error), "mend what the text says")]
        except Exception as error:  # noqa: BLE001 - what is ill must not silence the doctor
            text = f"the check itself failed: {type(error).__name__}: {error}"
            remarks = [Remark(name, Health.PROBLEM, text, _REPORT)]
        yield from remarks
