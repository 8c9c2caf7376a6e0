"""What a page must not do: speak to another host, break the content security policy, or complain on the console."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page

CSP_WATCH = "addEventListener('securitypolicyviolation', (event) => console.error('CSP violation', event.violatedDirective))"


class Watch:
    """Of every page that it was attached to."""

    def __init__(self) -> None:
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []

    def attach(self, page: Page) -> None:
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
