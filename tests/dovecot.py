"""A real IMAP server, Dovecot, on loopback: one a test run, any number of mailboxes, TLS only."""

from __future__ import annotations

import atexit
import grp
import imaplib
import os
import pwd
import shutil
import ssl
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from tests.certificates import own_certificate
from tests.fake_mail import PASSWORD, free_port
from tests.programs import needed

_USERS = count(1)
USER = "buzon{}@banco.example"
MANY = 1000
"""Mailboxes that there may be: a user who is added later is noticed late."""
CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_login_user = {login}
default_internal_user = {login}
default_internal_group = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{folder}/mail/%u
mail_fsync = never
auth_mechanisms = plain
auth_failure_delay = 0
ssl = required
ssl_cert = <{certificate}/ca.pem
ssl_key = <{certificate}/key.pem
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  process_min_avail = 2
  service_count = 0
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """tls, plain: the ports; ca: the file that vouches for it."""

    folder: Path
    tls: int
    plain: int
    ca: Path

    def mailbox(self) -> str:
        """A new one: its user, whose password is that of tests.fake_mail."""
        return USER.format(next(_USERS))

    def line(self, user: str) -> imaplib.IMAP4_SSL:
        """Straight to a mailbox, as its people have it."""
        context = ssl.create_default_context(cafile=str(self.ca))
        imap = imaplib.IMAP4_SSL("localhost", self.tls, ssl_context=context, timeout=20)
        imap.login(f'"{user}"', PASSWORD)
        imap.select("INBOX")
        return imap


@cache
def dovecot() -> Dovecot:
    """Started when it is first asked for, stopped when all is over."""
    program = needed("dovecot")
    ca, _ = own_certificate()
    folder = Path(mkdtemp(prefix="vigia-dovecot-"))
    folder.chmod(0o755)
    root = os.getuid() == 0
    own = pwd.getpwuid(os.getuid())
    runs = pwd.getpwnam("nobody") if root else own
    made = Dovecot(folder, free_port(), free_port(), ca)
    (folder / "mail").mkdir()
    (folder / "users").write_text("".join(f"{USER.format(n)}:{PASSWORD}\n" for n in range(MANY)))
    if root:
        os.chown(folder / "mail", runs.pw_uid, runs.pw_gid)
    (folder / "dovecot.conf").write_text(
        CONFIG.format(
            folder=folder, login="dovecot" if root else own.pw_name, group=_group(runs.pw_gid), uid=runs.pw_uid, gid=runs.pw_gid,
            certificate=ca.parent, plain=made.plain, tls=made.tls,
        )
    )  # fmt: skip
    server = subprocess.Popen([program, "-F", "-c", str(folder / "dovecot.conf")], stderr=subprocess.PIPE)

    def stop() -> None:
        server.terminate()
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    user = made.mailbox()
    for _ in range(1200):  # a minute
        try:
            made.line(user).logout()
        except (OSError, imaplib.IMAP4.error) as error:
            if server.poll() is not None:
                raise AssertionError((folder / "log").read_text() if (folder / "log").exists() else error) from None
            time.sleep(0.05)
        else:
            return made
    raise AssertionError((folder / "log").read_text())


def _group(gid: int) -> str:
    return grp.getgrgid(gid).gr_name
