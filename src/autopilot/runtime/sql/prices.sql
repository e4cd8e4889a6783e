-- in_force: the latest table; no row where there is none
select version, format, text, currency, actor, created_at from price_table order by version desc limit 1

-- latest_version: null where there is none
select max(version) from price_table

-- prices: of one version, by model and day
select model, first_day, input_micros, cached_input_micros, output_micros
from price where version = $1 order by model, first_day

-- add: the next version, unless somebody else took its number
insert into price_table (version, format, text, currency, actor, x_request_id)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
returning version, format, text, currency, actor, created_at

-- add_prices: what it says
insert into price (version, model, first_day, input_micros, cached_input_micros, output_micros)
select $1, * from unnest($2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[])
