"""The tables of the sandbox."""

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;  -- survives kill -9; a power cut may take the last batches of a sandbox
CREATE TABLE IF NOT EXISTS batch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE,  -- null while it is being received
    count INTEGER NOT NULL DEFAULT 0,
    created_at REAL, done_at REAL, expires_at REAL, listed_at REAL,
    canceled_at REAL, cancel_duration REAL, deleted_at REAL,
    version TEXT, betas TEXT,
    usage TEXT  -- JSON, once somebody asked for the bill
) STRICT;
CREATE TABLE IF NOT EXISTS request (
    batch INTEGER NOT NULL REFERENCES batch (number),
    position INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    began INTEGER NOT NULL, ended INTEGER NOT NULL,  -- bytes of the body
    digest BLOB NOT NULL, told BLOB,
    takes REAL NOT NULL, outcome TEXT NOT NULL, kind TEXT, message TEXT,
    tokens INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_5m INTEGER NOT NULL, cache_1h INTEGER NOT NULL,
    PRIMARY KEY (batch, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scripted (  -- what a script answers, which few requests have
    batch INTEGER NOT NULL, position INTEGER NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (batch, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workspace (batch INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;  -- where there are several
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, digest BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('whole', 'cut')),
    usage TEXT NOT NULL  -- JSON
) STRICT;
"""
