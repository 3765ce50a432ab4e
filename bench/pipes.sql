-- A million rows of one workspace: bench/pipes.py says which. :w workspace, :u its owner, :last the newest day.
insert into ad_accounts (id, workspace_id, platform, network, external_id, name, currency, timezone, created_by, data_through)
select gen_random_uuid(), :w, 'demo', n, n, n, 'USD', 'UTC', :u, :last from unnest(array['meta', 'google']) n;
insert into campaigns (id, workspace_id, account_id, external_id, name, status)
select gen_random_uuid(), :w, a.id, a.network || n, 'Campaign ' || n, 'active' from ad_accounts a, generate_series(1, 20) n;
insert into ad_daily (campaign_id, day, adset_id, ad_id, workspace_id, account_id, adset_name, ad_name, spend_micros,
  impressions, clicks, orders, revenue_micros)
select c.id, :last - d, 's' || ad % 3, 'a' || ad, :w, c.account_id, 'Set ' || ad % 3, 'Ad ' || ad,
  (random() * 9000000)::bigint, (random() * 900)::int, (random() * 12)::int, (random() * 1.2)::int, (random() * 30000000)::bigint
from campaigns c, generate_series(0, 419) d, generate_series(1, 12) ad;
insert into stores (workspace_id, currency, timezone, collect_key) values (:w, 'USD', 'UTC', 'bench');
insert into visits (id, workspace_id, source, session_key, visitor_id, started_at, day, channel, country, device,
  landing_page, is_new, viewed, carted, checkout, purchased)
select gen_random_uuid(), :w, 'demo', n::text, 'v' || n::bigint * 7919 % 450000, (:last - n % 420) + time '12:00' + n % 40000 * interval '1 second',
  :last - n % 420, (array['meta','google','organic','email','direct','social','referral'])[1 + (n * 31 % 97) % 7],
  (array['US','CA','GB','AU','DE','FR','JP','NL'])[1 + (n * 17 % 89) % 8], (array['mobile','desktop','tablet'])[1 + (n * 13 % 83) % 3],
  '/products/' || (n * 11 % 101) % 60, n % 3 > 0, n % 3 > 0, n % 9 = 0, n % 20 = 0, n % 40 = 0
from generate_series(1, 700000) n;
insert into store_orders (id, workspace_id, source, external_id, ordered_at, day, currency, gross_micros, refund_micros,
  customer, is_first, visitor_id, channel, country, device, landing_page)
select gen_random_uuid(), :w, 'demo', n::text, (:last - n % 420) + time '23:00', :last - n % 420, 'USD',
  50000000 + n % 90 * 1000000, case when n % 25 = 0 then 20000000 else 0 end, 'c' || n % 70000, n <= 70000,
  'v' || n::bigint * 7919 % 450000, (array['meta','google','organic','email','direct'])[1 + (n * 31 % 97) % 5], 'US', 'mobile',
  '/products/' || (n * 11 % 101) % 60
from generate_series(1, 100000) n;
