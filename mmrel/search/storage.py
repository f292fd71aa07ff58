"""Storages of studies: a journal file, or a database shared by several machines."""

import os
import random
import re
import time
from typing import Any, BinaryIO

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError

# Seconds after which a database counts as unreachable.
_TIMEOUT = 10
_ATTEMPTS = 10


def open_storage(where: str) -> BaseStorage:
    """Open a storage, or create it.

    Args:
        where (str): The URL of a database (``postgresql://``, ``mysql://``,
            ``sqlite:///``), or the path of a journal file, which may be on a
            shared file system.

    Returns:
        BaseStorage: Optuna's storage.

    Raises:
        ConnectionError: If it cannot be reached or used.
        ValueError: If the URL is invalid.
        ImportError: If the database's driver is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _open_database(where) if '://' in where else _open_journal(where)


def _open_database(url: str) -> BaseStorage:
    try:
        parsed = make_url(url)
        driver = parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        hidden = re.sub(r'//([^:/@]*):[^@]*@', r'//\1:***@', url)
        raise ValueError(
            f'search storage {hidden!r} is not a valid database URL ({error}): use one such as '
            'postgresql://user@host/name, mysql://user@host/name or sqlite:///file.db'
        ) from error
    name = parsed.render_as_string(hide_password=True)
    # For SQLite, the timeout is how long a writer waits for other writers.
    timeout = dict(timeout=60) if driver.name == 'sqlite' else dict(connect_timeout=_TIMEOUT)
    engine = dict(connect_args=timeout, pool_pre_ping=True)
    for attempt in range(_ATTEMPTS):
        try:
            storage = RDBStorage(parsed.render_as_string(hide_password=False), engine_kwargs=engine)
            if driver.name == 'sqlite':
                _lock_before_reading(storage.engine)
            return storage
        except ImportError as error:
            raise ImportError(
                f'search storage {name!r} needs the driver {driver.driver!r}, which is not '
                "installed; for postgresql+psycopg://: pip install 'psycopg[binary]', for "
                f'mysql+pymysql://: pip install PyMySQL ({error})'
            ) from error
        except Exception as error:
            # Drivers, SQLAlchemy and Optuna each have their own errors.
            if attempt + 1 < _ATTEMPTS and _is_race(error):
                time.sleep(random.uniform(0.2, 1))
                continue
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ConnectionError(f'search storage {name!r} cannot be reached: {reason}') from error
    raise AssertionError('the last attempt must return or raise')


def _lock_before_reading(engine: Engine) -> None:
    """Make SQLite transactions exclusive from the start.

    A path is claimed by reading its state and then changing it. Other databases lock
    the row on reading. SQLite has no row locks, so two processes could claim the path.
    """

    @event.listens_for(engine, 'connect')
    def leave_begin_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, 'begin')
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql('BEGIN IMMEDIATE')

    # Existing connections were opened without these listeners.
    engine.dispose()


def _is_race(error: Exception) -> bool:
    """Whether another process was creating the tables of a new database at the same time."""
    return isinstance(error, IntegrityError) or 'already exists' in str(error)


def _open_journal(path: str) -> BaseStorage:
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        lock = JournalFileSymlinkLock(path)
        backend = JournalFileBackend(path, lock)
        _check_journal(path)
        _cut_torn_line(path, lock)
        return JournalStorage(backend)
    except OSError as error:
        raise ConnectionError(f'search storage {path!r} cannot be reached: {error}') from error
    except (ArithmeticError, AssertionError, LookupError, RecursionError, TypeError,
            AttributeError, ValueError) as error:  # fmt: skip
        # Optuna replays the rows without checking them.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ConnectionError(
            f'search storage {path!r} is not a valid Optuna journal, or it is damaged: {reason}'
        ) from error


def _check_journal(path: str) -> None:
    """Check the file before it is changed: it may be a database or any other file."""
    start = b'{"op_code"'
    with open(path, 'rb') as file:
        head = file.read(len(start))
    if not start.startswith(head):
        raise ValueError('it does not start like one; for an SQLite database use sqlite:///FILE')


def _cut_torn_line(path: str, lock: JournalFileSymlinkLock) -> None:
    """Remove an incomplete last line left by a killed process, before a line is appended to it."""
    with open(path, 'rb+') as file:
        if _is_whole(file):
            return
        lock.acquire()
        try:
            if not _is_whole(file):
                file.seek(0)
                file.truncate(file.read().rfind(b'\n') + 1)
        finally:
            lock.release()


def _is_whole(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b'\n'
