-- What the text of our statements takes for granted and PostgreSQL does not have: a few functions of SQLite, under their
-- names there. They lie in our own schema, so that nothing else in the database meets them.

CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

-- The members of a JSON list, as text, each with its place.
CREATE FUNCTION json_each(text, OUT key bigint, OUT value text) RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT AS
    'SELECT n - 1, v FROM json_array_elements_text($1::json) WITH ORDINALITY AS each (v, n)';
CREATE FUNCTION json_member(text, integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1::json ->> $2';
CREATE FUNCTION json_member(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1::json ->> $2';
CREATE OPERATOR ->> (LEFTARG = text, RIGHTARG = integer, FUNCTION = json_member);
CREATE OPERATOR ->> (LEFTARG = text, RIGHTARG = text, FUNCTION = json_member);
-- Of `$.name`, as all of our paths are.
CREATE FUNCTION json_array_length(text, text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
    'SELECT json_array_length($1::json -> substr($2, 3))::bigint';
CREATE FUNCTION json_array(bigint, text, bigint, bigint, bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
    'SELECT json_build_array($1, $2, $3, $4, $5)::text';

CREATE FUNCTION list_text(anycompatiblearray) RETURNS text LANGUAGE sql IMMUTABLE AS
    'SELECT coalesce(array_to_json($1)::text, ''[]'')';
CREATE AGGREGATE json_group_array(anycompatible) (
    sfunc = array_append, stype = anycompatiblearray, initcond = '{}', finalfunc = list_text
);

CREATE FUNCTION iif(boolean, anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE AS
    'SELECT CASE WHEN $1 THEN $2 ELSE $3 END';
CREATE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS
    'SELECT strpos($1 COLLATE "C", $2 COLLATE "C")';
-- Of two values the larger one; NULL where either is.
CREATE FUNCTION max(anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE AS
    'SELECT CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE greatest($1, $2) END';

CREATE AGGREGATE max(boolean) (sfunc = boolor_statefunc, stype = boolean);
CREATE AGGREGATE min(boolean) (sfunc = booland_statefunc, stype = boolean);
CREATE FUNCTION total_of(double precision, double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS
    'SELECT $1 + coalesce($2, 0)';
CREATE AGGREGATE total(double precision) (sfunc = total_of, stype = double precision, initcond = '0');
