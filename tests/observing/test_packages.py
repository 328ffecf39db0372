"""Which distributions an environment holds, and which of them a module came from."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sphinx_nbcache.observing import Packages

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Return a function that installs a distribution by hand: its folder's name, and files."""

    def write(info: str, *files: str, site: str = "site-packages", **metadata: str) -> Path:
        folder = tmp_path / site / info
        folder.mkdir(parents=True)
        if files:
            metadata["RECORD"] = "".join(f"{file},sha256=abc,1\n" for file in files)
        for name, text in metadata.items():
            (folder / name.replace("_txt", ".txt").replace("PKG_", "PKG-")).write_text(text)
        return folder

    return write


def open_site(tmp_path: Path, *names: str) -> Packages:
    """Return what is installed in folders."""
    return Packages([str(tmp_path / name) for name in names or ("site-packages",)])


def own(tmp_path: Path, module: str, file: str) -> tuple[str, str] | None:
    """Return whose a file in the site folder is."""
    return open_site(tmp_path).find_owner(module, str(tmp_path / "site-packages" / file))


def describe(name: str, version: str) -> str:
    """Return the text of a metadata file."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: of what follows\n"


def test_a_version_is_told_by_the_name_of_a_folder(install: Install, tmp_path: Path) -> None:
    install("toy-1.0.dist-info")
    assert open_site(tmp_path).get_version("toy") == "1.0"


def test_what_is_not_installed_has_no_version(install: Install, tmp_path: Path) -> None:
    install("toy-1.0.dist-info")
    assert open_site(tmp_path).get_version("other") is None


def test_an_upgrade_is_seen(install: Install, tmp_path: Path) -> None:
    folder = install("toy-1.0.dist-info")
    folder.rename(folder.with_name("toy-1.1.dist-info"))
    assert open_site(tmp_path).get_version("toy") == "1.1"


@pytest.mark.parametrize("name", ["zope.interface", "Zope-Interface", "zope_interface"])
def test_a_name_may_be_written_in_any_way(name: str, install: Install, tmp_path: Path) -> None:
    install("zope.interface-5.4.dist-info")
    assert open_site(tmp_path).get_version(name) == "5.4"


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ("toy-1.0.egg-info", "1.0"),
        ("toy-1.0-py3.11.egg-info", "1.0"),
        ("toy-1.0.post2-py3.11-linux-x86_64.egg-info", "1.0.post2"),
        ("toy-2.1+cu118.dist-info", "2.1+cu118"),
    ],
)
def test_eggs_and_local_versions_are_known(
    info: str, version: str, install: Install, tmp_path: Path
) -> None:
    install(info)
    assert open_site(tmp_path).get_version("toy") == version


def test_an_egg_may_be_a_file(install: Install, tmp_path: Path) -> None:
    site = install("other-1.dist-info").parent
    (site / "perf-0.1.egg-info").write_text(describe("perf", "0.1"))
    (site / "odd.egg-info").write_text(describe("odd", "0.2"))
    packages = open_site(tmp_path)
    assert (packages.get_version("perf"), packages.get_version("odd")) == ("0.1", "0.2")


@pytest.mark.parametrize(
    ("info", "metadata"), [("toy.egg-info", "PKG_INFO"), ("my-toy-1.0.dist-info", "METADATA")]
)
def test_metadata_is_read_where_the_name_does_not_tell(
    info: str, metadata: str, install: Install, tmp_path: Path
) -> None:
    install(info, **{metadata: describe("Toy", "3.0")})
    assert open_site(tmp_path).get_version("toy") == "3.0"


def test_the_first_folder_wins(install: Install, tmp_path: Path) -> None:
    install("toy-1.0.dist-info", site="user")
    install("toy-2.0.dist-info", site="system")
    assert open_site(tmp_path, "user", "system").get_version("toy") == "1.0"
    assert open_site(tmp_path, "system", "user").get_version("toy") == "2.0"


def test_a_rest_of_an_upgrade_does_not_count(install: Install, tmp_path: Path) -> None:
    install("toy-2.0.dist-info", "toy/__init__.py", METADATA=describe("toy", "2.0"))
    install("toy-1.0.dist-info")
    install("~oy-0.9.dist-info", "toy/__init__.py", METADATA=describe("toy", "0.9"))
    assert open_site(tmp_path).get_version("toy") == "2.0"
    assert own(tmp_path, "toy", "toy/__init__.py") == ("toy", "2.0")


def test_the_later_of_two_that_are_whole_counts(install: Install, tmp_path: Path) -> None:
    for version, changed in ("1.0", 2), ("2.0", 1):
        folder = install(f"toy-{version}.dist-info", METADATA=describe("toy", version))
        os.utime(folder, (changed, changed))
    assert open_site(tmp_path).get_version("toy") == "1.0"


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("yaml.nodes", "yaml/nodes.py"),
        ("yaml", "yaml/__init__.py"),
        ("_yaml", "_yaml.cpython-311-x86_64-linux-gnu.so"),
        ("single", "single.py"),
        ("quoted", "quoted/a,b.py"),
        ("windows", "windows/api.py"),
        ("_hidden", "yaml/lib/_hidden.so"),
    ],
)
def test_an_owner_is_found_by_its_record(
    module: str, file: str, install: Install, tmp_path: Path
) -> None:
    files = ["yaml/__init__.py", "_yaml.cpython-311-x86_64-linux-gnu.so", "single.py"]
    install("PyYAML-6.0.dist-info", *files, '"quoted/a,b.py"', "windows\\api.py", "../../bin/yaml")
    assert own(tmp_path, module, file) == ("pyyaml", "6.0")


def test_what_nobody_claims_has_no_owner(install: Install, tmp_path: Path) -> None:
    install("toy-1.0.dist-info", "toy/__init__.py")
    assert own(tmp_path, "mine", "mine.py") is None
    assert open_site(tmp_path).find_owner("toy", str(tmp_path / "toy.py")) is None


def test_a_namespace_is_settled_by_the_file(install: Install, tmp_path: Path) -> None:
    install("google_cloud_storage-2.0.dist-info", "google/cloud/storage/__init__.py")
    install("google_auth-1.0.dist-info", "google/auth/__init__.py", '"google/odd, name.py"')
    assert own(tmp_path, "google.auth", "google/auth/__init__.py") == ("google-auth", "1.0")
    assert own(tmp_path, "google.odd", "google/odd, name.py") == ("google-auth", "1.0")
    storage = own(tmp_path, "google.cloud.storage", "google/cloud/storage/__init__.py")
    assert storage == ("google-cloud-storage", "2.0")
    assert own(tmp_path, "google.mine", "google/mine.py") is None


def test_a_namespace_of_eggs_is_settled_by_the_name(install: Install, tmp_path: Path) -> None:
    install("lazr.uri-1.0.egg-info", top_level_txt="lazr\n")
    install("lazr.restfulclient-0.14.egg-info", top_level_txt="lazr\n")
    owner = own(tmp_path, "lazr.restfulclient.app", "lazr/restfulclient/app.py")
    assert owner == ("lazr-restfulclient", "0.14")


def test_an_egg_is_known_by_its_list_of_modules(install: Install, tmp_path: Path) -> None:
    install("pywin32-300.egg-info", top_level_txt="win32api\r\n_win32sys\n")
    assert own(tmp_path, "win32api", "win32/win32api.pyd") == ("pywin32", "300")


def test_what_lists_nothing_owns_its_own_name(install: Install, tmp_path: Path) -> None:
    install("my_toy-1.0.dist-info")
    assert own(tmp_path, "my_toy.part", "my_toy/part.py") == ("my-toy", "1.0")


def test_copies_of_libraries_belong_to_who_brings_them(install: Install, tmp_path: Path) -> None:
    copy = "setuptools/_vendor/toy/__init__.py"
    install("setuptools-80.0.dist-info", copy)
    install("toy-1.0.dist-info", site="site-packages/setuptools/_vendor")
    packages = open_site(tmp_path, "site-packages", "site-packages/setuptools/_vendor")
    file = str(tmp_path / "site-packages" / copy)
    assert packages.find_owner("toy", file) == ("setuptools", "80.0")
    assert packages.get_version("toy") is None


def test_broken_metadata_is_no_error(install: Install, tmp_path: Path) -> None:
    site = install("toy-1.0.dist-info").parent
    (site / "toy-1.0.dist-info" / "RECORD").write_bytes(b'\xff\xfe,\n"\n,,\n\ntoy/\xff.py,,\n')
    (site / "toy-1.0.dist-info" / "METADATA").mkdir()
    install("nameless.dist-info", METADATA="no header\n")
    install("empty.egg-info")
    (site / "dangling.egg-info").symlink_to(site / "nothing")
    (site / ".dist-info").touch()
    packages = open_site(tmp_path)
    assert packages.get_version("toy") == "1.0"
    assert [packages.get_version(name) for name in ("nameless", "empty", "dangling", "")] == [
        None
    ] * 4
    assert packages.find_owner("toy", str(site / "toy" / "new.py")) == ("toy", "1.0")


def test_a_site_folder_may_be_missing(tmp_path: Path) -> None:
    packages = open_site(tmp_path, "nowhere")
    assert packages.get_version("toy") is None
    assert packages.find_owner("toy", str(tmp_path / "nowhere" / "toy.py")) is None


REAL = {
    "numpy.linalg": "numpy",
    "PIL.Image": "pillow",
    "yaml.nodes": "pyyaml",
    "sklearn.base": "scikit-learn",
    "dateutil.parser": "python-dateutil",
    "matplotlib_inline.config": "matplotlib-inline",
    "mpl_toolkits.mplot3d": "matplotlib",
    "_cffi_backend": "cffi",
    "sphinxcontrib.htmlhelp": "sphinxcontrib-htmlhelp",
    "zmq.asyncio": "pyzmq",
    "attr": "attrs",
    "six": "six",
}


def find_file(module: str) -> str | None:
    """Return the file of an installed module, without importing it."""
    top, *rest = module.split(".")
    for folder in map(Path, filter(None, sys.path)):
        found = [folder.joinpath(top, *rest, "__init__.py"), folder.joinpath(top, *rest)]
        files = [*found[:1], found[1].with_suffix(".py"), *folder.glob(f"{module}.cpython*")]
        for file in files:
            if file.is_file():
                return str(file)
    return None


@pytest.mark.parametrize(("module", "name"), REAL.items())
def test_owners_of_real_modules_are_found(module: str, name: str) -> None:
    file = find_file(module)
    if file is None:
        pytest.skip("not installed here")
    packages = Packages([folder for folder in sys.path if folder.endswith("-packages")])
    assert packages.find_owner(module, file) == (name, importlib.metadata.version(name))


def test_versions_are_those_that_the_standard_library_finds() -> None:
    packages = Packages([folder for folder in sys.path if folder.endswith("-packages")])
    expected: dict[str, str] = {}
    for folder in sys.path:
        if folder.endswith("-packages"):
            for found in importlib.metadata.distributions(path=[folder]):
                expected.setdefault(found.metadata["Name"], found.version)
    assert {name: packages.get_version(name) for name in expected} == expected
