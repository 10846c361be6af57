"""Dashboards' pages as files, which Apache sends by itself: a view builds nothing and asks no Python.

There is a file for as long as its page is the same for whoever looks, with one policy for all of them. A dashboard that
is broken, whose samplers are in trouble, or that needs a policy of its own has none: its page is made by Python.
"""

import logging
from threading import Event, Thread

from jinja2 import Environment

from tidegauge.dashboards.definition import Dashboard
from tidegauge.publish.folder import ServedFolder
from tidegauge.server.owner import Owner
from tidegauge.server.site import Site
from tidegauge.web.pages import address
from tidegauge.web.render import Renderer, new_nonce, policy

POLICY = "policy"  # the file of the header
EVERY_S = 0.5  # between two looks at the samplers

log = logging.getLogger(__name__)


class PageFiles:
    """Keeps the files of the pages up to date, from a background thread.

    Args:
        owner: whose dashboards they show.
        templates: what the pages are made by.
        home: the dashboard whose page lies at ``/dashboard/`` itself; its file has no name.
    """

    def __init__(self, owner: Owner, templates: Environment, home: str) -> None:
        self._owner = owner
        self._templates = templates
        self._home = home
        self._folder = ServedFolder(owner.run_folder.pages)
        self._nonce = new_nonce()
        self._policy = ""
        self._kept: dict[str, bool] = {}  # by dashboard: whether there is a file of it
        self._problem = ""
        self._ending = Event()
        self._thread = Thread(target=self._run, name="page files", daemon=True)

    def start(self) -> None:
        """Begin, as soon as the dashboards are built."""
        self._thread.start()

    def stop(self) -> None:
        """End the background thread; the files stay."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(EVERY_S if self._policy else EVERY_S / 10):
            if (site := self._owner.site_if_built) is None:
                continue
            try:
                self.publish(site)
                self._problem = ""
            except OSError as error:  # a full or vanished tmpfs
                if not self._problem:
                    log.exception("The pages cannot be written; trying again")
                self._problem = str(error)

    def publish(self, site: Site) -> None:
        """Write what is missing, remove what is not true any more."""
        renderer = Renderer(self._templates, self._owner.assets, site.build, self._owner.settings)
        if not self._policy:
            self._begin(renderer)
        troubled = site.samplers.in_trouble()
        for one in site.dashboards.values():
            if one.problem or not troubled.isdisjoint(one.samplers):
                if self._kept.pop(one.name, False):
                    (self._folder.path / self._file(one)).unlink(missing_ok=True)
            elif one.name not in self._kept:
                self._write(one, renderer)

    def _begin(self, renderer: Renderer) -> None:
        self._folder.make_folder()
        for file in self._folder.path.glob("*.html"):  # of another life
            file.unlink()
        allowed = policy(renderer.settings, f"'nonce-{self._nonce}'")
        self._folder.replace(POLICY, allowed.encode())
        self._policy = allowed

    def _write(self, one: Dashboard, renderer: Renderer) -> None:
        path = f"/{address(one.name, self._home)}"
        page = renderer.dashboard(one, path=path, nonce=self._nonce, troubles={})
        if page.policy == self._policy:
            self._folder.replace_plain(self._file(one), page.html.encode())
        self._kept[one.name] = page.policy == self._policy

    def _file(self, one: Dashboard) -> str:
        return ".html" if one.name == self._home else f"{one.name}.html"
