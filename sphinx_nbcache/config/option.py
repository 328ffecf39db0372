"""An option: its name, what a right value is, and where else it can be set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sphinx_nbcache.config.address import mask_address
from sphinx_nbcache.config.plugins import WrongValueError
from sphinx_nbcache.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the package."""

    name: str
    """Name without prefix; ``nbcache_<name>`` in ``conf.py``."""
    default: Any
    expected: str
    """What a right value is, as the end of the sentence "expected ..."."""
    help: str
    check: Callable[[Any], Any]
    """Returns the value in its final type; raises ValueError or TypeError if it is wrong."""
    variable: str | None = None
    """Environment variable that sets it too."""
    rebuild: Literal["", "env"] = ""
    """Sphinx's word for what is made again when the value changes; ``env`` for all pages."""

    def read(self, value: Any, name: str) -> Any:
        """Check a value; ``name`` is how the user spelled the option.

        Raises ConfigurationError.
        """
        try:
            return self.check(value)
        except WrongValueError as error:
            raise ConfigurationError(name, value, f"{self.expected}; {error}") from error
        except (ValueError, TypeError) as error:
            shown = mask_address(value) if isinstance(value, str) else value
            raise ConfigurationError(name, shown, self.expected) from error
