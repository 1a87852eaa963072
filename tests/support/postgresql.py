"""A server of PostgreSQL for tests: of this machine's package, in a temporary folder, as a user without rights."""

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from batchd.edges.store import open_store
from psycopg.conninfo import conninfo_to_dict

_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """The folder of the server's programs; None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    return versions[-1].parent if versions else None


def _user() -> str | None:
    """As whom a server runs: never as root, which it refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """One that runs."""

    def __init__(self, folder: Path, programs: Path, *, fsync: bool, password: str) -> None:
        self.folder = folder
        self._fsync = fsync
        self._password = password
        self._programs = programs
        self._user = _user()
        self._tables: str | None = None

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs, and fail with what it says."""
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        """Start it; a kill of it loses what is not synced, which no test here is about."""
        options = (
            f"-c listen_addresses= -c fsync={'on' if self._fsync else 'off'} -c max_connections=200 -k {self.folder}"
        )
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "-s", "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "-s", "stop")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement, and return what it brings."""
        done = subprocess.run(
            [self._programs / "psql", "-XAtq", "-h", self.folder, "-U", "batchd", "-d", database, "-c", statement],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PGPASSWORD": self._password},
        )
        return done.stdout.strip()

    def restore(self, dump: Path) -> str:
        """Make a database of what `pg_dump` wrote, and return its URL."""
        url = self.new()
        self.script(dump.read_text("utf-8"), url)
        return url

    def script(self, statements: str, url: str) -> None:
        """Run statements on a database, all or none."""
        words = [str(self._programs / "psql"), "-Xq1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-d", url]
        subprocess.run(words, input=statements, text=True, check=True)

    def dump(self, url: str) -> str:
        """What a database holds, as `pg_dump` writes it."""
        words = [str(self._programs / "pg_dump"), "--schema=batchd", "-d", url]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return "".join(line for line in said.splitlines(keepends=True) if not line.startswith(("--", "\\r", "\\un")))

    def url(self, database: str) -> str:
        """A database of it, as the setting `store` has it."""
        return f"postgresql://batchd@/{database}?host={self.folder}"

    def new(self) -> str:
        """Make an empty database, and return its URL."""
        return self._made("template1")

    def with_tables(self) -> str:
        """Make a database that has the tables of the store already, and return its URL: copying them is quicker."""
        if self._tables is None:
            made = self.new()
            with ThreadPoolExecutor(1) as beside:  # also where an event loop runs in this thread
                beside.submit(asyncio.run, _open(made)).result()
            self._tables = made
        return self._made(conninfo_to_dict(self._tables)["dbname"])

    def _made(self, template: object) -> str:
        name = f"t{uuid4().hex}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


async def _open(url: str) -> None:
    async with open_store(url):
        pass


@contextmanager
def running(programs: Path, *, fsync: bool = False, password: str = "") -> Iterator[Server]:
    """A server, for as long as the block lasts.

    Args:
        programs: Their folder.
        fsync: Whether it syncs, as one that is meant to keep anything.
        password: With which its user is let in; nobody needs one unless it is set.
    """
    with TemporaryDirectory(prefix="pg") as place:
        folder = Path(place)
        server = Server(folder, programs, fsync=fsync, password=password)
        if (user := _user()) is not None:
            shutil.chown(folder, user)
        folder.chmod(0o755)
        how = ["-A", "trust"]
        if password:
            secret = folder / "password"
            secret.write_text(password)
            secret.chmod(0o644)
            how = ["-A", "scram-sha-256", f"--pwfile={secret}"]
        server.run("initdb", "-D", str(folder / "data"), "-U", "batchd", "-E", "UTF8", "--locale=C", "-N", *how)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
