"""Whether all that the package needs is there and works; nothing in the project is changed."""

from sphinx_nbcache.pipeline.diagnosis.checks import diagnose
from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark

__all__ = ["Health", "Patient", "Remark", "diagnose"]
