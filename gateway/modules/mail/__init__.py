"""The modules of the mail block, in nginx's order: what is wrong is said by the first of them that finds it."""

from __future__ import annotations

from typing import Final

from gateway.mail.module import MailModule
from gateway.modules.mail import auth_http, core, imap, listen, pop3, proxy, realip, smtp, ssl

MAIL_MODULES: Final[tuple[MailModule, ...]] = (
    core.module,
    listen.module,
    ssl.module,
    pop3.module,
    imap.module,
    smtp.module,
    auth_http.module,
    proxy.module,
    realip.module,
)
