-- One group of the line application: its accounts, who of them is online, what came in, what was answered. Everything a
-- message does is done in one call, so that numbers are right whoever counts at the same time.
--
-- KEYS[1]  the group's channel, <prefix>:<namespace>:room:{group-<id>}. In Cluster name every other key as well: the
--          channel's :history and :ids, <prefix>:<namespace>:members:{group-<id>}:users (see room.lua), and of
--          <prefix>:<namespace>:group:{group-<id>}:
--            accounts   hash, line id -> display name
--            online     hash, line id of those online -> activation code of the client that said so
--            lost       hash, line id of those that went offline with their client -> its code
--            numbers    hash, 'group' and 'a:<line id>' -> <incoming> <duplicates> <day> <incoming of that day> <duplicates
--                       of that day>; 'customers' and 'follow_ups' -> how many there were; 'code' -> the last to count
--            incoming   sorted set, incoming id -> when it last came, ms
--            customers  sorted set, customer id -> its number
--            codes      sorted set, code -> when a client last opened a session with it, ms
--            answered   sorted set, '<operation> <message id>' -> when it was answered, ms
--            answers    hash, the same -> the answer; '' -> bytes of all
-- ARGV[1]  the operation; ARGV[2] the activation code it is done for; ARGV[3] the day by the application's zone, counted
--          from 1970; ARGV[4] the message's id or ''; ARGV[5] limits: accounts, incoming ids, customers, bytes of answers,
--          seconds everything is kept after it was last used, events and seconds of the channel's history
--   sync_line_accounts (<line id> <name or ''> <'online' | 'offline' | ''>)*
--   incoming <line id> <incoming id> <the client's data> <start of the answer>
--   customer_sync <customer id> <the client's data> <start of the answer>
--   follow_up_sync <the client's data> <start of the answer>
--   account_status_change <line id> <status> <start of the answer>
--            the five messages of clients -> {1, answer}; {2, the answer of old}: the id came before; or {0, what there
--            are too many of}. Data and starts are JSON objects, a start without its closing brace
--   open     a client opens a session with the code                         -> {1, ''}
--   offline  the code has no session any more; '' looks at every code       -> {accounts that went offline, ''}
--   back     the code has a session after all: what went offline returns    -> {accounts that went online, ''}
--   stats                                                                   -> {1, the group's numbers, or ''}
--
-- A day never goes back: a caller whose clock is still in yesterday counts for today. All events are durable, so that a
-- node which missed some reads them. What changes numbers carries them beside its content, as "group_stats" and, of one
-- account, "account" and "account_stats"; a sync has an event of its own for them, {"type":"line_stats",…}.
local space, room, group = string.match(KEYS[1], '^([^:]+:[^:]+):room:{(group%-(%d+))}$')
if not space then return redis.error_reply('CARILLONKEY expected <prefix>:<namespace>:room:{group-<id>}') end
local channel, stem, members = KEYS[1], space .. ':group:{' .. room .. '}:', space .. ':members:{' .. room .. '}:users'
local accounts, online, lost, numbers = stem .. 'accounts', stem .. 'online', stem .. 'lost', stem .. 'numbers'
local seen, customers, codes = stem .. 'incoming', stem .. 'customers', stem .. 'codes'
local answered, answers = stem .. 'answered', stem .. 'answers'
local operation, code, day, id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local limits = {}
for limit in string.gmatch(ARGV[5], '%d+') do limits[#limits + 1] = tonumber(limit) end
local MOST_ACCOUNTS, MOST_INCOMING, MOST_CUSTOMERS, MOST_BYTES, AGE, HISTORY, HISTORY_AGE = unpack(limits)
local DAY = 86400
local JOINING = 10000 -- ms within which a session that opened is known to presence
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local stamp = text(now)

local function tell(type, content, stats)
  local reply = append({channel}, {'{"type":"' .. type .. '","content":' .. content .. (stats or '') .. '}', '',
    'trusted', '1', 'max', text(HISTORY), 'ttl', text(HISTORY_AGE)})
  if reply.err then error(reply.err) end
end

local function numbers_of(field)
  local kept = redis.call('HGET', numbers, field)
  if not kept then return {0, 0, day, 0, 0} end
  local all, twice, on, today, today_twice = string.match(kept, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  on = tonumber(on)
  if on ~= day and on ~= day + 1 then on, today, today_twice = day, 0, 0 end
  return {tonumber(all), tonumber(twice), on, tonumber(today), tonumber(today_twice)}
end

local function count(field, duplicate)
  local n = numbers_of(field)
  n[1], n[4] = n[1] + 1, n[4] + 1
  if duplicate then n[2], n[5] = n[2] + 1, n[5] + 1 end
  for i = 1, 5 do n[i] = text(n[i]) end
  redis.call('HSET', numbers, field, table.concat(n, ' '))
end

local function sums(field)
  local n = numbers_of(field)
  return '"total_incoming":' .. text(n[1]) .. ',"today_incoming":' .. text(n[4]) .. ',"duplicate_incoming":' .. text(n[2])
    .. ',"today_duplicate":' .. text(n[5]) .. ',"timestamp":' .. stamp .. '}'
end

local function group_stats(by)
  return '{"activation_code":"' .. by .. '","total_accounts":' .. redis.call('HLEN', accounts) .. ',"online_accounts":'
    .. redis.call('HLEN', online) .. ',' .. sums('group')
end

-- The numbers as fields of an event, after all is counted.
local function stats(by, account)
  redis.call('HSET', numbers, 'code', by)
  local fields = ',"group_stats":' .. group_stats(by)
  if not account then return fields end
  local name = cjson.encode(account)
  return fields .. ',"account":' .. name .. ',"account_stats":{"line_id":' .. name .. ',' .. sums('a:' .. account)
end

local function keep()
  for _, key in ipairs({accounts, online, lost, numbers, seen, customers, codes}) do redis.call('EXPIRE', key, AGE) end
end

-- Whether the accounts that are not there yet still fit in.
local function admits(wanted)
  local fresh, count = {}, redis.call('HLEN', accounts)
  for _, account in ipairs(wanted) do
    if not fresh[account] and redis.call('HEXISTS', accounts, account) == 0 then
      fresh[account] = true
      count = count + 1
      if count > MOST_ACCOUNTS then return false end
    end
  end
  return true
end

-- Whether the account is new.
local function enlist(account, name)
  local known = redis.call('HGET', accounts, account)
  if not known or name ~= '' and name ~= known then redis.call('HSET', accounts, account, name) end
  return not known
end

local function set(account, status, by)
  if status == 'online' then redis.call('HSET', online, account, by)
  elseif status == 'offline' then redis.call('HDEL', online, account) end
  if status ~= '' then redis.call('HDEL', lost, account) end
end

local function changed(account, status, fields)
  tell('account_status_change', '{"line_account_id":' .. account .. ',"online_status":"' .. status .. '","group_id":'
    .. group .. ',"timestamp":' .. stamp .. '}', fields)
end

-- These accounts have changed together: the numbers go with the last.
local function all_changed(all, status, by)
  for i, account in ipairs(all) do
    changed(cjson.encode(account), status, i == #all and stats(by) or '')
  end
  if #all > 0 then keep() end
  return #all
end

local function present(of) return redis.call('HEXISTS', members, 'windows:' .. of) == 1 end

-- Accounts of the code, or of every one without a session, go offline.
local function depart(of, remember)
  local here, there, gone, last = redis.call('HGETALL', online), {}, {}, nil
  for i = 1, #here, 2 do
    local account, by = here[i], here[i + 1]
    if of == '' or of == by then
      if there[by] == nil then there[by] = present(by) end
      if not there[by] then
        redis.call('HDEL', online, account)
        if remember then redis.call('HSET', lost, account, by) end
        gone[#gone + 1], last = account, by
      end
    end
  end
  return all_changed(gone, 'offline', last)
end

local function forget(marks)
  for _, mark in ipairs(marks) do
    local answer = redis.call('HGET', answers, mark)
    if answer then redis.call('HINCRBY', answers, '', -(#answer + 2 * #mark + 200)) end
    redis.call('HDEL', answers, mark)
    redis.call('ZREM', answered, mark)
  end
end

local function done(answer)
  keep()
  if id == '' then return {1, answer} end
  local mark = operation .. ' ' .. id
  forget({mark})
  redis.call('HSET', answers, mark, answer)
  redis.call('ZADD', answered, stamp, mark)
  local bytes = redis.call('HINCRBY', answers, '', #answer + 2 * #mark + 200)
  forget(redis.call('ZRANGEBYSCORE', answered, '-inf', text(now - DAY * 1000), 'LIMIT', 0, 10))
  while bytes > MOST_BYTES do
    local old = redis.call('ZRANGE', answered, 0, 0)
    if old[1] == mark or not old[1] then break end
    forget(old)
    bytes = tonumber(redis.call('HGET', answers, '')) or 0
  end
  redis.call('EXPIRE', answers, DAY)
  redis.call('EXPIRE', answered, DAY)
  return {1, answer}
end

if operation == 'open' then
  local at = redis.call('ZSCORE', codes, code)
  -- What an earlier life left online while nobody was there to see it end.
  if not present(code) and (not at or now - at > JOINING) then depart(code, false) end
  redis.call('ZADD', codes, stamp, code)
  redis.call('ZREMRANGEBYSCORE', codes, '-inf', text(now - AGE * 1000))
  redis.call('EXPIRE', codes, AGE)
  local gone = redis.call('HGETALL', lost)
  for i = 1, #gone, 2 do
    if gone[i + 1] == code then redis.call('HDEL', lost, gone[i]) end
  end
  return {1, ''}
elseif operation == 'offline' then
  return {depart(code, true), ''}
elseif operation == 'back' then
  local gone, back = redis.call('HGETALL', lost), {}
  if not present(code) then return {0, ''} end
  for i = 1, #gone, 2 do
    if gone[i + 1] == code then
      set(gone[i], 'online', code)
      back[#back + 1] = gone[i]
    end
  end
  return {all_changed(back, 'online', code), ''}
elseif operation == 'stats' then
  local by = redis.call('HGET', numbers, 'code')
  return {1, by and group_stats(by) or ''}
end

-- What could keep the event from being appended is looked at before anything is counted.
local meta = redis.call('GET', channel)
if meta and not string.find(meta, '^%S+ %d+ %d+ %S+ %S+ %d+$') then
  return redis.error_reply('CARILLONMETA the meta of the channel is corrupt')
end
if id ~= '' then
  local mark = operation .. ' ' .. id
  local at = redis.call('ZSCORE', answered, mark)
  local answer = at and now - at < DAY * 1000 and redis.call('HGET', answers, mark)
  if answer then return {2, answer} end
end

if operation == 'sync_line_accounts' then
  local wanted, shown, created, updated = {}, {}, 0, 0
  for i = 6, #ARGV, 3 do wanted[#wanted + 1] = ARGV[i] end
  if not admits(wanted) then return {0, 'accounts'} end
  for i = 6, #ARGV, 3 do
    local account = ARGV[i]
    if enlist(account, ARGV[i + 1]) then created = created + 1 else updated = updated + 1 end
    set(account, ARGV[i + 2], code)
    shown[#shown + 1] = '{"line_id":' .. cjson.encode(account) .. ',"display_name":'
      .. cjson.encode(redis.call('HGET', accounts, account)) .. ',"online_status":"'
      .. (redis.call('HEXISTS', online, account) == 1 and 'online' or 'offline') .. '"}'
  end
  tell('line_stats', 'null', stats(code))
  return done('{"success":true,"created_count":' .. created .. ',"updated_count":' .. updated .. ',"accounts":['
    .. table.concat(shown, ',') .. ']}')
elseif operation == 'incoming' then
  local account, incoming, data, start = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
  if not admits({account}) then return {0, 'accounts'} end
  local at = redis.call('ZSCORE', seen, incoming)
  local duplicate = at and now - at < AGE * 1000 or false
  enlist(account, '')
  redis.call('ZADD', seen, stamp, incoming)
  redis.call('ZREMRANGEBYRANK', seen, 0, -MOST_INCOMING - 1)
  count('group', duplicate)
  count('a:' .. account, duplicate)
  tell('incoming', '{"duplicate":' .. tostring(duplicate) .. ',"group_id":' .. group .. ',' .. string.sub(data, 2),
    stats(code, account))
  return done(start .. ',"status":"processed","duplicate":' .. tostring(duplicate) .. '}')
elseif operation == 'customer_sync' then
  local customer, data, start = ARGV[6], ARGV[7], ARGV[8]
  local known = redis.call('ZSCORE', customers, customer)
  local number = text(tonumber(known or (redis.call('HGET', numbers, 'customers') or 0) + 1))
  tell('customer_sync', '{"customer_db_id":' .. number .. ',"group_id":' .. group .. ',' .. string.sub(data, 2))
  if not known then
    redis.call('HSET', numbers, 'customers', number)
    redis.call('ZADD', customers, number, customer)
    redis.call('ZREMRANGEBYRANK', customers, 0, -MOST_CUSTOMERS - 1)
  end
  return done(start .. ',"customer_db_id":' .. number .. ',"status":"processed"}')
elseif operation == 'follow_up_sync' then
  local data, start = ARGV[6], ARGV[7]
  local number = text((redis.call('HGET', numbers, 'follow_ups') or 0) + 1)
  tell('follow_up_sync', '{"follow_up_id":' .. number .. ',"group_id":' .. group .. ',' .. string.sub(data, 2))
  redis.call('HSET', numbers, 'follow_ups', number)
  return done(start .. ',"follow_up_id":' .. number .. ',"status":"processed"}')
elseif operation == 'account_status_change' then
  local account, status, start = ARGV[6], ARGV[7], ARGV[8]
  if not admits({account}) then return {0, 'accounts'} end
  enlist(account, '')
  set(account, status, code)
  changed(string.match(start, '^{"line_account_id":(.*)$'), status, stats(code))
  return done(start .. ',"online_status":"' .. status .. '","status":"updated"}')
end
return redis.error_reply('CARILLONOP unknown operation')
