"""Dashboards' pages as files, which Apache sends by itself: a view builds nothing and asks no Python.

There is a file for as long as its page is the same for whoever looks, with one policy for all of them. A dashboard that
is broken, whose samplers are in trouble, or that needs a policy of its own has none: its page is made by Python.
"""

import secrets

from flask import Flask

from app.dashboard import Dashboard
from app.files import Files
from app.guard import NONCE, policy
from app.house import House
from app.pages import TUTORIAL

POLICY = "policy"  # the file of the header


class PageFiles:
    """Keeps the files of *app*'s pages up to date. Has no lock: one thread calls ``publish``."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._house: House = app.extensions["house"]
        self._files = Files(self._house.pages)
        self._nonce = secrets.token_urlsafe(16)
        self._policy = ""
        self._kept: dict[str, bool] = {}  # by dashboard: whether there is a file of it

    def publish(self) -> None:
        """Write what is missing, remove what is not true any more."""
        if not self._house.is_open:
            return
        if not self._policy:
            self._begin()
        troubled = self._house.samplers_in_trouble
        for one in self._house.dashboards.values():
            if one.problem or not troubled.isdisjoint(one.samplers):
                if self._kept.pop(one.name, False):
                    (self._files.folder / _file(one.name)).unlink(missing_ok=True)
            elif one.name not in self._kept:
                self._write(one)

    def _begin(self) -> None:
        self._files.make_folder()
        for file in self._files.folder.glob("*.html"):  # of another life
            file.unlink()
        with self._app.test_request_context():
            self._policy = policy(f"'nonce-{self._nonce}'")
        self._files.replace(POLICY, self._policy.encode())

    def _write(self, one: Dashboard) -> None:
        path = "/dashboard/" if one.name == TUTORIAL else f"/dashboard/{one.name}/"
        answer = self._app.test_client().get(path, environ_overrides={NONCE: self._nonce})
        if answer.status_code == 200:  # else it is tried again
            self._kept[one.name] = answer.headers["Content-Security-Policy"] == self._policy
            if self._kept[one.name]:
                self._files.replace_plain(_file(one.name), answer.data)


def _file(dashboard: str) -> str:
    # The tutorial's address has no name in it.
    return f"{'' if dashboard == TUTORIAL else dashboard}.html"
