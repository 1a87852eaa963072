"""SQLite beneath the store: one file, its schema, its connections and statements; what is kept in it stands above."""
