"""A real Postfix of this test's own: a configuration, a queue and a port of its own, on loopback, which delivers to one relay.

Its master runs as root: as ourselves where we are root, else over `sudo -n`, as continuous integration installs it.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import free_port

MAIN = """\
compatibility_level = 3.6
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
smtp_dns_support_level = disabled
smtp_host_lookup = native
myhostname = relay.example
mydestination =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{relay}
bounce_size_limit = {most_returned}
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
DAEMONS = (Path("/usr/lib/postfix/sbin"), Path("/usr/libexec/postfix"))


def _as_root():
    if os.geteuid() == 0:
        return []
    able = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if able and able.returncode == 0 else None


def missing():
    """What keeps a Postfix from running here; "": nothing."""
    if shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        return "POSTFIX IS NOT INSTALLED: its reports are not tested (apt-get install postfix)"
    return "" if _as_root() is not None else "Postfix starts as root only, and `sudo -n` does not work here"


@contextmanager
def postfix(relay, *, most_returned=50_000):
    """The port at which it takes mails; `relay`: the port to which it hands them, `most_returned`: bytes that a bounce brings back whole."""
    why = missing()
    if why:
        assert not os.environ.get("BOOMERANG_REQUIRE_ALL"), why
        pytest.skip(why)
    root, folder, port = _as_root(), Path(tempfile.mkdtemp(prefix="boomerang-postfix-")), free_port()
    folder.chmod(0o755)  # its processes are of several users
    (folder / "etc").mkdir()
    for name in ("queue", "data", "log"):
        (folder / name).mkdir()
    daemons = next(path for path in DAEMONS if path.is_dir())
    main = MAIN.format(folder=folder, relay=relay, daemons=daemons, most_returned=most_returned)
    (folder / "etc" / "main.cf").write_text(main)
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=port))
    command = [*root, shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin"), "-c", str(folder / "etc")]
    try:
        if root:
            subprocess.run([*root, "chown", "-R", "root:root", folder / "etc", folder / "queue"], check=True)
        subprocess.run([*root, "chown", "postfix", folder / "data"], check=True)
        begun = subprocess.run([*command, "start"], capture_output=True, text=True, timeout=60, check=False)
        assert begun.returncode == 0, begun.stdout + begun.stderr + _log(folder)
        yield port
    finally:
        subprocess.run([*command, "stop"], capture_output=True, timeout=60, check=False)
        subprocess.run([*root, "rm", "-rf", folder], check=True)


def _log(folder):
    try:
        return (folder / "log" / "mail.log").read_text()[-2_000:]
    except OSError as error:
        return str(error)
