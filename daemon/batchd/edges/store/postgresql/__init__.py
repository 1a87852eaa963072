"""PostgreSQL beneath the store: a server's database, its schema, its connections and statements."""
