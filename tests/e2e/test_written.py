"""Pages that show what notebooks wrote are right in every build, and no file is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.build import Result, run_build, write_notebook, write_site

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

PNG = (
    "import zlib, struct\n"
    "def chunk(kind, data):\n"
    "    return struct.pack('>I', len(data)) + kind + data + "
    "struct.pack('>I', zlib.crc32(kind + data))\n"
    "head = chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0))\n"
    "body = chunk(b'IDAT', zlib.compress(bytes([0, {shade}])))\n"
    "from pathlib import Path\n"
    "Path('made').mkdir(exist_ok=True)\n"
    "Path('made/figure.png').write_bytes("
    "b'\\x89PNG\\r\\n\\x1a\\n' + head + body + chunk(b'IEND', b''))\n"
    "Path('made/table.txt').write_text('table of shade {shade}')\n"
    "Path('made/run.sh').write_text('echo {shade}')\n"
    "Path('made/run.sh').chmod(0o755)"
)
SHOW = """
![figure](made/figure.png)

{download}`the table <made/table.txt>`

```{literalinclude} made/table.txt
:language: text
```
"""
MADE = ("made/figure.png", "made/table.txt", "made/run.sh")
OPTIONS = ("-j2",)


def make_site(tmp_path: Path) -> Path:
    """Write a site in which a text and a notebook show what another notebook writes."""
    site = write_site(tmp_path / "project", {"z_writer": (PNG.format(shade=1),)})
    (site / "index.md").write_text("# Site\n\n```{toctree}\na_text\nb_page\nz_writer\nplain\n```\n")
    (site / "a_text.md").write_text(f"# Text\n\n{SHOW}")
    (site / "plain.md").write_text("# Plain")
    write_notebook(site / "b_page.md", "1", prose=SHOW)
    return site


def check_pages(result: Result, shade: int) -> None:
    """Check that both pages show what was written with a shade."""
    assert (result.status, result.stderr) == (0, "")
    for name in ("a_text", "b_page"):
        page = result.read(name)
        assert f"table of shade {shade}" in page
        assert '_images/figure.png"' in page
        assert "table.txt" in page
        assert "reference download" in page
    source = result.outdir.parent / "docs/made"
    shown = (result.outdir / "_images/figure.png").read_bytes()
    assert shown == (source / "figure.png").read_bytes()
    (download,) = (result.outdir / "_downloads").rglob("table.txt")
    assert download.read_text() == f"table of shade {shade}"


def test_pages_that_show_what_a_notebook_writes_are_right_in_every_build(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    check_pages(run_build(site, *OPTIONS), 1)
    made = {name: (site / name).read_bytes() for name in MADE}
    warm = run_build(site, *OPTIONS)
    check_pages(warm, 1)
    assert warm.pages_read == []

    shutil.rmtree(site / "made")
    restored = run_build(site, *OPTIONS)
    check_pages(restored, 1)
    assert restored.totals["ran"] == 0
    assert {name: (site / name).read_bytes() for name in MADE} == made
    assert (site / "made/run.sh").stat().st_mode & 0o777 == 0o755

    write_notebook(site / "z_writer.md", PNG.format(shade=2))
    changed = run_build(site, *OPTIONS)
    check_pages(changed, 2)
    assert set(changed.pages_read) == {"a_text", "b_page", "z_writer"}
    assert changed.totals["ran"] == 1

    write_notebook(site / "z_writer.md", PNG.format(shade=1))
    back = run_build(site, *OPTIONS)
    check_pages(back, 1)
    assert back.totals["ran"] == 0
    check_pages(run_build(site, *OPTIONS, out="fresh"), 1)


def test_what_the_user_changed_is_kept_with_a_warning(tmp_path: Path) -> None:
    code = "open('out.txt', 'w').write('made')"
    site = write_site(tmp_path / "project", {"writer": (code,), "other": ("1",)})
    assert run_build(site).status == 0
    (site / "out.txt").write_text("mine")
    for options in ((), ("-E",)):
        result = run_build(site, *options)
        assert "writer.md: WARNING: docs/out.txt was changed since writer wrote it" in result.stderr
        assert "[nbcache.artifact]" in result.stderr
        assert result.totals["ran"] == 0
        assert (site / "out.txt").read_text() == "mine"
    (site / "out.txt").unlink()
    result = run_build(site)
    assert (result.stderr, (site / "out.txt").read_text()) == ("", "made")
