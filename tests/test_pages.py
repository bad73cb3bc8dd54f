"""Every page of the built book, in a browser: by rules of accessibility in light and dark, and as wide as a phone."""

import html
import importlib.resources
import json
import re
import shutil

import pytest
from helpers import BROWSER, BROWSERS, dump_dom
from sphinx_external_toc.parsing import parse_toc_yaml

from cpnet import results

HTML = results.REPOSITORY / "_build" / "html"
PAGES = [str(page) for page in parse_toc_yaml(results.REPOSITORY / "_toc.yml")]
PHONE = 390  # pixels
OWN_WEIGHT = 1_500_000  # bytes of a page with its figures, without what the theme brings

CHECK = """
<title>check</title><iframe id="page" src="%s" style="width: %dpx; height: 3000px"></iframe><pre id="found"></pre>
<script>
const frame = document.getElementById("page");
frame.onload = () => setTimeout(async () => {
  const page = frame.contentDocument, rules = page.createElement("script"), found = [];
  rules.textContent = %s;
  page.head.append(rules);
  for (const theme of ["light", "dark"]) {
    page.documentElement.dataset.theme = theme;
    const said = await frame.contentWindow.axe.run(page, {runOnly: ["wcag2a", "wcag2aa"]});
    for (const fault of said.violations) found.push([theme, fault.id, ...fault.nodes.map((node) => node.html)]);
  }
  const width = page.documentElement.scrollWidth;
  document.getElementById("found").textContent = JSON.stringify({found, width});
}, 1500);
</script>
"""


pytestmark = pytest.mark.skipif(not HTML.is_dir(), reason="the book is not built: make book")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if BROWSER is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return shutil.copytree(HTML, tmp_path_factory.mktemp("site") / "html")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_and_fits_a_phone(page, site):
    file = site / f"{page}.html"
    rules = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text()
    check = file.with_name("check.html")
    check.write_text(CHECK % (file.name, PHONE, json.dumps(rules).replace("</", "<\\/")))
    shown = dump_dom(check, site.parent / "profile", "--allow-file-access-from-files", "--virtual-time-budget=60000")
    said = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)[1]))
    assert said["found"] == []
    assert said["width"] <= PHONE


@pytest.mark.parametrize("page", ["index", *PAGES])  # at the root is a redirect to the first
def test_a_page_is_light_and_its_pictures_have_a_text(page):
    file = HTML / f"{page}.html"
    text = file.read_text()
    pictures = set(re.findall(r'src="(\.\./_images/[^"]+)"', text))
    weight = file.stat().st_size + sum((file.parent / picture).stat().st_size for picture in pictures)
    assert weight < OWN_WEIGHT
    article = text.partition("<article")[2].partition("</article>")[0]
    unnamed = [tag for tag in re.findall(r"<img[^>]*>", article) if not re.search(r'alt="(?!\.\./_images)[^"]+"', tag)]
    assert unnamed == []
